"""Pushes become gradings: webhooks of GitHub and GitLab, and a bare repository with a hook of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import APIRouter

    from harness.hooks.courier import Courier
    from harness.hooks.deliveries import Deliveries
    from harness.hooks.settings import HookSettings
    from harness.hooks.web import Log


def router(settings: HookSettings, deliveries: Deliveries, courier: Courier, log: Log) -> APIRouter:
    """The routes that webhooks deliver to; see `harness.hooks.web.router`."""
    # The hook of a bare repository lives here too, and a push should not wait for a web framework to be imported.
    from harness.hooks import web

    return web.router(settings, deliveries, courier, log)
