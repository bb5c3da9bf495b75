"""The one event loop of a process: a daemon thread, started when a poll first needs it.

Never at import: a worker that forks afterwards would inherit a loop without its thread.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

_Result = TypeVar("_Result")
_STOP_S = 2.0
_lock = threading.Lock()
_running: asyncio.AbstractEventLoop | None = None


def submit(coroutine: Coroutine[Any, Any, _Result]) -> Future[_Result]:
    """Run `coroutine` on the loop of this process; its future can be awaited from any thread."""
    return asyncio.run_coroutine_threadsafe(coroutine, _loop())


def _loop() -> asyncio.AbstractEventLoop:
    global _running  # noqa: PLW0603 - one loop a process is the point
    with _lock:
        if _running is None:
            _running = _new_loop()
            threading.Thread(target=_running.run_forever, name="venues-loop", daemon=True).start()
            atexit.register(_stop, _running)
        return _running


def _new_loop() -> asyncio.AbstractEventLoop:
    """Return a loop of libuv where there is one: a third less time for each request."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def _stop(loop: asyncio.AbstractEventLoop) -> None:
    """Close what the loop holds; a process that ends must not wait for a venue."""
    if loop is not _running:
        return
    from venues import client

    closing = asyncio.run_coroutine_threadsafe(client.close(), loop)
    try:
        closing.result(_STOP_S)
    except TimeoutError:
        closing.cancel()
    loop.call_soon_threadsafe(loop.stop)


def _forget() -> None:
    global _lock, _running  # noqa: PLW0603 - the child has neither the thread nor its lock
    _lock = threading.Lock()
    _running = None


os.register_at_fork(after_in_child=_forget)
