"""A request in flight: its own connection, and a body that may be held back half way."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

from harness.client import BODY_CAP, Reply
from harness.payloads import INVOCATIONS
from harness.resilience.batches import HEADERS, Batch


class Flight:
    """Starts at once."""

    def __init__(self, url: str, batch: Batch, seconds: float, *, held: bool = False) -> None:
        """Of a body that is `held`, the second half waits for `release`. `seconds` is how long anything may take."""
        self.batch = batch
        self.reply: Reply | None = None
        self.error = "no whole answer arrived"
        """What happened where there is no reply."""
        self.sent = threading.Event()
        """All that is not held back has been handed to the kernel, or could not be."""
        self._released = threading.Event()
        if not held:
            self._released.set()
        self._seconds = seconds
        place = urlsplit(url)
        self._connection = HTTPConnection(place.hostname or "", place.port or 80, timeout=seconds)
        self._thread = threading.Thread(target=self._fly, daemon=True)
        self._thread.start()

    @property
    def landed(self) -> bool:
        """Whether it is over, one way or the other."""
        return not self._thread.is_alive()

    def release(self) -> None:
        """Send what was held back."""
        self._released.set()

    def land(self) -> None:
        """Wait for its end."""
        self.release()
        self._thread.join(self._seconds)

    def _fly(self) -> None:
        start = time.monotonic()
        try:
            # A service that refuses early may close the connection, and its answer is there to be read all the same.
            with suppress(BrokenPipeError, ConnectionResetError):
                self._send()
            answer = self._connection.getresponse()
            body = answer.read(BODY_CAP)
            self.reply = Reply(answer.status, dict(answer.getheaders()), body, time.monotonic() - start)
        except (OSError, HTTPException) as error:
            self.error = f"{type(error).__name__}: {error}".rstrip(": ")
        finally:
            self.sent.set()
            self._connection.close()

    def _send(self) -> None:
        body, half = self.batch.body, len(self.batch.body) // 2
        self._connection.putrequest("POST", INVOCATIONS)
        for name, value in (*HEADERS.items(), ("content-length", str(len(body)))):
            self._connection.putheader(name, value)
        self._connection.endheaders()
        self._connection.send(body[:half])
        if not self._released.is_set():
            self.sent.set()
            self._released.wait(self._seconds)
        self._connection.send(body[half:])
        self.sent.set()
