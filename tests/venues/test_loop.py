from __future__ import annotations

import subprocess
import sys
import threading

from tests.paths import PROJECT
from venues import loop

FORKING = """
import os, sys
from venues import loop

async def double(number):
    return 2 * number

before = loop.submit(double(2)).result(10)
child = os.fork()
if child == 0:
    os._exit(0 if loop.submit(double(before)).result(10) == 8 else 1)
_, status = os.waitpid(child, 0)
sys.exit(os.waitstatus_to_exitcode(status) or loop.submit(double(0)).result(10))
"""


async def _thread_name() -> str:
    return threading.current_thread().name


def test_every_caller_gets_the_same_loop() -> None:
    names = {loop.submit(_thread_name()).result(10) for _ in range(3)}

    assert names == {"venues-loop"}


def test_a_forked_child_gets_a_loop_of_its_own() -> None:
    done = subprocess.run([sys.executable, "-c", FORKING], cwd=PROJECT, timeout=30, check=False)

    assert done.returncode == 0


def test_reading_loads_without_ccxt_and_aiohttp() -> None:
    code = (
        "import os, sys; os.environ['DJANGO_SETTINGS_MODULE'] = 'riskhub.settings_test';"
        "import django; django.setup(); import venues.reading;"
        "sys.exit(any(name in sys.modules for name in ('ccxt', 'aiohttp')))"
    )

    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, timeout=60, check=False)

    assert done.returncode == 0
