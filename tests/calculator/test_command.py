"""`manage.py quote`: a JSON array in, a JSON array out, and exit codes."""

import io
import json
import sys

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from tests.calculator.build import ask, make_case

GOOD = make_case(entry_price=100, quantity=2, leverage=10, maintenance_margin_rate=0.01)


def write(tmp_path, text):
    path = tmp_path / "cases.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def test_every_case_is_answered_in_order(tmp_path, capsys):
    path = write(tmp_path, json.dumps([{**GOOD, "id": "one"}, {**GOOD, "id": 2}]))

    call_command("quote", path)

    answers = json.loads(capsys.readouterr().out)
    assert [answer["id"] for answer in answers] == ["one", 2]
    assert answers[0] == {**ask(**GOOD["inputs"]), "id": "one"}


def test_standard_input_is_read(monkeypatch, capsys):
    text = io.TextIOWrapper(io.BytesIO(json.dumps([GOOD]).encode()))
    monkeypatch.setattr(sys, "stdin", text)

    call_command("quote", "-")

    assert json.loads(capsys.readouterr().out)[0]["liquidation_price"] == pytest.approx(91)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ('{"id": 7, "kind": "linear", "side": "up", "inputs": {}}', "side"),
        ('{"id": 7, "kind": "linear", "inputs": {"quantity": 1e400}}', "quantity"),
        ('{"id": 7, "kind": "linear", "inputs": {"quantity": NaN}}', "quantity"),
        ('{"id": 7, "kind": "linear", "inputs": {"quantity": ' + "9" * 5000 + "}}", "quantity"),
    ],
)
def test_a_senseless_case_is_said_and_the_others_answered(tmp_path, capsys, text, field):
    path = write(tmp_path, f"[{text}, {json.dumps(GOOD)}]")

    with pytest.raises(SystemExit) as left:
        call_command("quote", path)

    first, second = json.loads(capsys.readouterr().out)
    assert left.value.code == 1
    assert (first["id"], first["error"]["field"]) == (7, field)
    assert second["liquidation_price"] == pytest.approx(91)


@pytest.mark.parametrize("text", ["", "{", "{}", "5", b"\xff[]", "[" * 100_000])
def test_what_is_no_array_is_one_sentence_and_exit_code_2(tmp_path, capsys, text):
    path = write(tmp_path, text)

    with pytest.raises(CommandError) as refused:
        call_command("quote", path)

    assert refused.value.returncode == 2
    assert str(refused.value).endswith(".")
    assert capsys.readouterr().out == ""


def test_a_file_that_is_not_there_is_one_sentence_and_exit_code_2(tmp_path):
    with pytest.raises(CommandError) as refused:
        call_command("quote", str(tmp_path / "none.json"))

    assert refused.value.returncode == 2


def test_no_case_is_no_answer(tmp_path, capsys):
    call_command("quote", write(tmp_path, "[]"))

    assert json.loads(capsys.readouterr().out) == []
