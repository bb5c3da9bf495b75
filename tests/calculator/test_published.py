"""Every published case of the collection beside the project, within its own tolerance."""

import pytest

from tests.calculator.case_table import TABLE, ask, load_cases, render
from tests.paths import needs_recordings

CASES = load_cases()
# (case, figure) -> why it is not answered as printed.
LEFT_OUT: dict[tuple[str, str], str] = {}


@needs_recordings
@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_every_printed_figure_is_answered_within_its_tolerance(case):
    printed = {name: case["expected"][name] for name in case["expected"]}
    asked = [name for name in printed if (case["id"], name) not in LEFT_OUT]

    answer = ask(case)

    wrong = {
        name: (answer.get(name), printed[name]) for name in asked if _is_off(case, answer, name)
    }
    assert wrong == {}
    assert all(name in answer for name in asked)


@needs_recordings
def test_all_cases_are_asked_and_none_is_left_out_unseen():
    figures = {(case["id"], name) for case in CASES for name in case["expected"]}

    assert len(CASES) == 175
    assert set(LEFT_OUT) <= figures
    assert LEFT_OUT == {}


@needs_recordings
def test_a_missing_figure_of_a_case_has_a_reason():
    answers = [ask(case) for case in CASES]

    unexplained = [
        (answer["id"], name)
        for answer in answers
        for name in answer
        if answer[name] is None and name not in answer["reasons"]
    ]
    assert unexplained == []


@needs_recordings
def test_the_residual_of_every_liquidation_price_is_rounding():
    answers = [ask(case) for case in CASES]

    residuals = [abs(each["residual"]) for each in answers if each["residual"] is not None]
    assert len(residuals) > 80
    assert max(residuals) < 1e-12


@needs_recordings
def test_the_table_of_cases_is_up_to_date():
    assert TABLE.read_text() == render()


def _is_off(case, answer, name):
    expected, found = case["expected"][name], answer.get(name)
    if expected is None or found is None or isinstance(expected, bool):
        return expected is not found
    tolerance = case["tolerance"][name]
    allowed = max(tolerance.get("abs", 0), tolerance.get("rel", 0) * abs(expected))
    return abs(found - expected) > allowed
