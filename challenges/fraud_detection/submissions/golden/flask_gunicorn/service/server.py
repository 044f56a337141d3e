"""What gunicorn is told: `gunicorn --config service/server.py "service.app:create()"`."""

from __future__ import annotations

from service.settings import Settings

_settings = Settings.of_environment()

bind = f"0.0.0.0:{_settings.port}"
# One worker: the drift monitor's window and the counters live in its process.
workers = 1
worker_class = "gthread"
# A thread for each prediction that waits its turn, and some for whoever sends slowly or asks how the service is.
threads = _settings.waiting + 32
# Longer than a load balancer's: else it sends a request down a connection that is just being closed.
keepalive = 75
graceful_timeout = _settings.drain_seconds
# A socket in the home directory to steer gunicorn by: nobody does, and the file system is read-only.
control_socket_disable = True
