"""The circuit breaker: what opens it, who may knock, and what closes it."""

from __future__ import annotations

import random

import pytest

from venues.breaker import Breaker
from venues.errors import Unavailable


class Time:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.s = 100.0

    def monotonic_s(self) -> float:
        return self.s


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    own = Time()
    monkeypatch.setattr("venues.breaker.clock.monotonic_s", own.monotonic_s)
    return own


@pytest.fixture
def breaker(time: Time) -> Breaker:
    return Breaker(label="Venue")


def fail(breaker: Breaker, *, times: int = 1) -> None:
    for _ in range(times):
        breaker.leave(is_probe=breaker.enter(), is_failure=True)


def is_refused(breaker: Breaker) -> bool:
    try:
        breaker.leave(is_probe=breaker.enter(), is_failure=True)
    except Unavailable:
        return True
    return False


def test_ten_failures_in_a_row_open_it(breaker: Breaker) -> None:
    fail(breaker, times=9)
    was_closed = breaker.is_closed

    fail(breaker)

    assert (was_closed, breaker.is_closed) == (True, False)
    with pytest.raises(Unavailable, match="Venue does not answer"):
        breaker.enter()


def test_one_answer_among_failures_keeps_it_closed(breaker: Breaker) -> None:
    for _ in range(20):
        fail(breaker, times=9)
        breaker.leave(is_probe=breaker.enter(), is_failure=False)

    assert breaker.is_closed


def test_three_failures_in_ten_do_not_open_it(breaker: Breaker) -> None:
    draw = random.Random(20261122)

    for _ in range(20_000):
        breaker.leave(is_probe=breaker.enter(), is_failure=draw.random() < 0.3)

    assert breaker.is_closed


def test_one_probe_at_a_time_after_growing_pauses(breaker: Breaker, time: Time) -> None:
    fail(breaker, times=10)
    pauses, opened_at_s = [], time.s
    while len(pauses) < 8:
        time.s += 0.25
        if not is_refused(breaker):
            pauses.append(time.s - opened_at_s)
            opened_at_s = time.s

    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]


def test_while_the_probe_is_out_nobody_else_passes(breaker: Breaker, time: Time) -> None:
    fail(breaker, times=10)
    time.s += 1

    probe = breaker.enter()

    assert probe
    with pytest.raises(Unavailable):
        breaker.enter()


def test_the_probes_answer_closes_it(breaker: Breaker, time: Time) -> None:
    fail(breaker, times=10)
    time.s += 1

    breaker.leave(is_probe=breaker.enter(), is_failure=False)

    assert breaker.is_closed
    assert not breaker.enter()


def test_a_cancelled_probe_is_followed_by_another(breaker: Breaker, time: Time) -> None:
    fail(breaker, times=10)
    time.s += 1
    breaker.forgo(is_probe=breaker.enter())
    was_refused = is_refused(breaker)

    time.s += 1

    assert was_refused
    assert breaker.enter()


def test_what_was_sent_before_changes_no_pause(breaker: Breaker, time: Time) -> None:
    early = [breaker.enter() for _ in range(50)]

    for is_probe in early:
        breaker.leave(is_probe=is_probe, is_failure=True)

    time.s += 1
    assert breaker.enter()
