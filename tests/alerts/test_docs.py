"""docs/webhooks.md and docs/alerts.md say what the code does."""

from __future__ import annotations

import re

import pytest

from positions.alerts import defaults, payload
from positions.alerts.models import Incident
from positions.alerts.retries import SCHEDULE_S
from positions.alerts.rules import RuleKind
from tests.alerts.steps import evaluate, evaluate_staleness
from tests.factories import NOW, make_account, make_event, make_position
from tests.paths import PROJECT

WEBHOOKS = (PROJECT / "docs" / "webhooks.md").read_text()
ALERTS = (PROJECT / "docs" / "alerts.md").read_text()


def names_of(document, prefix=""):
    for name, value in document.items():
        is_group = isinstance(value, dict) and name in {"incident", "account", "why"}
        yield from names_of(value, f"{prefix}{name}.") if is_group else [prefix + name]


@pytest.fixture
def documents(team, channel):
    defaults.ensure_defaults(team=team, now=NOW)
    position = make_position(team=team, margin_ratio=0.9)
    evaluate(position, events=(make_event(position, "liquidated"),))
    make_account(team, blocked_reason="refused")
    evaluate_staleness(NOW)
    found = Incident.objects.select_related("rule")
    assert {each.rule.kind for each in found} == {"threshold", "event", "key"}
    return [payload.build(incident=each, reason="first", uid="msg_1", now=NOW) for each in found]


def test_every_field_of_a_message_is_documented(documents):
    names = {name for document in documents for name in names_of(document["data"])}

    missing = {name for name in names if f"`{name}`" not in WEBHOOKS}
    # `reason` and `is_simulated` stand in the example and in the table of types.
    assert missing - {"reason", "is_simulated"} == set()


def test_every_documented_field_of_the_why_is_sent(documents):
    sent = {name for document in documents for name in names_of(document["data"])}
    documented = set(re.findall(r"`((?:why|incident|account)\.[a-z_]+)`", WEBHOOKS))

    assert documented - {"incident.fired", "incident.worsened", "incident.repeated"} - {
        "incident.resolved"
    } == {name for name in sent if "." in name}


@pytest.mark.parametrize("kind", payload.TYPES.values())
def test_every_type_is_documented(kind):
    assert f"`{kind}`" in WEBHOOKS


@pytest.mark.parametrize("kind", RuleKind.values)
def test_every_kind_of_rule_is_documented(kind):
    assert f"| `{kind}` |" in ALERTS


@pytest.mark.parametrize("rule", defaults.DEFAULT_RULES, ids=lambda rule: rule["name"])
def test_every_default_rule_is_documented(rule):
    assert f"| {rule['name']} |" in ALERTS


def test_the_documented_schedule_is_the_one_that_is_kept():
    units = {"s": 1, "min": 60, "h": 3600}
    (line,) = re.findall(r"retried after ([^;]+?), each up to", ALERTS.replace("\n  ", " "))

    documented = [int(n) * units[unit] for n, unit in re.findall(r"(\d+) (s|min|h)\b", line)]

    assert documented == list(SCHEDULE_S)
