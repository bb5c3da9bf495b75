from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from positions.alerts.rules import find_problem, read_ladder
from positions.alerts.thresholds import next_ranks

RATIO = read_ladder(
    [
        {"level": 0.7, "rearm": 0.6, "severity": "warning"},
        {"level": 0.85, "rearm": 0.8, "severity": "critical"},
    ]
)
DISTANCE = read_ladder(
    [
        {"level": 0.10, "rearm": 0.12, "severity": "warning"},
        {"level": 0.05, "rearm": 0.06, "severity": "critical"},
    ]
)


def ranks(values, held, *, ladder=RATIO, is_worse_high=True):
    return next_ranks(
        values=np.array(values, np.float64),
        ranks=np.array(held, np.int64),
        ladder=ladder,
        is_worse_high=is_worse_high,
    ).tolist()


@pytest.mark.parametrize(
    ("value", "held", "reached"),
    [
        (0.69, 0, 0),
        (0.70, 0, 0),
        (0.71, 0, 1),
        (0.86, 0, 2),
        (0.65, 1, 1),
        (0.60, 1, 0),
        (0.82, 2, 2),
        (0.80, 2, 1),
        (0.65, 2, 1),
        (0.59, 2, 0),
        (np.inf, 0, 2),
        (np.nan, 0, 0),
        (np.nan, 2, 2),
    ],
)
def test_levels_are_reached_beyond_the_level_and_left_at_the_rearm_level(value, held, reached):
    assert ranks([value], [held]) == [reached]


def test_low_values_are_the_dangerous_ones_for_a_distance():
    values = [0.11, 0.09, 0.11, 0.12, 0.04, 0.055, 0.07, -0.02]
    held = [0, 0, 1, 1, 0, 2, 2, 0]

    reached = ranks(values, held, ladder=DISTANCE, is_worse_high=False)

    assert reached == [0, 1, 1, 0, 2, 2, 1, 2]


@given(st.lists(st.floats(0.61, 0.69), max_size=40))
def test_nothing_between_rearm_and_level_moves_an_incident_either_way(values):
    held = np.arange(len(values)) % 2

    reached = ranks(values, held)

    assert reached == held.tolist()


def test_a_ladder_that_lost_a_level_holds_nobody_above_its_top():
    assert ranks([np.nan], [2], ladder=RATIO[:1]) == [1]


GOOD = {
    "kind": "threshold",
    "measure": "margin_ratio",
    "events": [],
    "scope": {"venue": ["binance"], "side": ["long"]},
    "levels": [{"level": 0.7, "rearm": 0.6, "severity": "warning"}],
    "for_s": 0.0,
    "clear_for_s": 60.0,
    "repeat_s": 3600.0,
}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"kind": "staleness", "scope": {"account": [1]}},
        {"kind": "key", "scope": {}, "levels": [{"severity": "critical"}]},
        {"kind": "event", "events": ["gone"], "levels": [{"severity": "critical"}]},
        {
            "measure": "liquidation_distance",
            "levels": [
                {"level": 0.1, "rearm": 0.12, "severity": "warning"},
                {"level": 0.05, "rearm": 0.05, "severity": "critical"},
            ],
        },
    ],
)
def test_a_rule_that_makes_sense_has_no_problem(change):
    assert find_problem(**{**GOOD, **change}) == ""


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "magic"}, "no kind of rule 'magic'"),
        ({"measure": "nonsense"}, "no measure 'nonsense'"),
        ({"for_s": -1}, "Durations"),
        ({"for_s": float("nan")}, "Durations"),
        ({"clear_for_s": -1}, "Durations"),
        ({"scope": {"planet": ["mars"]}}, "A scope holds"),
        ({"scope": {"venue": "binance"}}, "A scope holds"),
        ({"kind": "staleness"}, "A scope holds"),
        ({"levels": []}, "at least one level"),
        ({"levels": [{"level": 1, "rearm": 0.9, "severity": "calm"}]}, "at least one level"),
        ({"levels": [{"level": "1", "rearm": 0.9, "severity": "warning"}]}, "is a number"),
        ({"levels": [{"level": 0.7, "rearm": 0.71, "severity": "warning"}]}, "safe side"),
        ({"kind": "event", "events": ["melted"]}, "An event rule names"),
        ({"kind": "event", "events": []}, "An event rule names"),
        (
            {
                "levels": [
                    {"level": 0.8, "rearm": 0.7, "severity": "warning"},
                    {"level": 0.7, "rearm": 0.6, "severity": "critical"},
                ]
            },
            "more dangerous",
        ),
        (
            {
                "levels": [
                    {"level": 0.7, "rearm": 0.6, "severity": "critical"},
                    {"level": 0.8, "rearm": 0.7, "severity": "warning"},
                ]
            },
            "The severity grows",
        ),
    ],
)
def test_a_rule_that_makes_none_is_told_why(change, words):
    assert words in find_problem(**{**GOOD, **change})
