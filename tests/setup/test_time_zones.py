"""An operator's time zone, a summer that ends and a leap day move nothing: all of it is UTC."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.paths import PROJECT

# The hour that Berlin lives twice, and a 29 February: steps of ten minutes across them.
SCRIPT = """
import json, os
os.environ["DJANGO_SETTINGS_MODULE"] = "riskhub.settings_test"
import django
django.setup()
from datetime import timedelta
import time_machine
from positions import freshness
from riskhub import clock, formatting
from venues.rows import read_instant
from venues.figures import Row

seen = []
for start in (1792888200000, 1835395200000):
    for step in range(0, 30):
        milliseconds = start + step * 600_000
        with time_machine.travel(milliseconds / 1000, tick=False):
            now = clock.now()
            told = read_instant(Row({"time": str(milliseconds)}), "time")
            repeated_at = now + timedelta(seconds=14_400)
            seen.append([
                now.isoformat(), formatting.timestamp(now), formatting.time_of_day(now),
                clock.to_milliseconds(now) == milliseconds, told == now,
                (repeated_at - now).total_seconds(), formatting.iso(repeated_at),
                freshness.is_stale(seen_at=now - timedelta(seconds=70), budget_s=30.0, now=now),
                freshness.is_stale(seen_at=now - timedelta(seconds=71), budget_s=30.0, now=now),
            ])
print(json.dumps(seen))
"""


def told_in(zone: str) -> list[list[object]]:
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=PROJECT,
        env={**os.environ, "TZ": zone},
        capture_output=True,
        text=True,
        check=True,
    )
    told: list[list[object]] = json.loads(run.stdout.splitlines()[-1])
    return told


@pytest.fixture(scope="module")
def in_utc() -> list[list[object]]:
    return told_in("UTC")


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/St_Johns", "Pacific/Apia"])
def test_a_local_time_zone_moves_no_instant_and_no_interval(
    zone: str, in_utc: list[list[object]]
) -> None:
    assert told_in(zone) == in_utc


def test_across_the_end_of_summer_time_and_a_leap_day_an_interval_is_an_interval(
    in_utc: list[list[object]],
) -> None:
    assert in_utc[0][0] == "2026-10-25T00:30:00+00:00"
    assert in_utc[30][0] == "2028-02-29T00:00:00+00:00"
    assert in_utc[59][0] == "2028-02-29T04:50:00+00:00"
    assert {tuple(row[3:6] + row[7:]) for row in in_utc} == {(True, True, 14_400.0, False, True)}
