from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from positions.alerts import defaults, services
from positions.alerts.models import AlertRule, Channel
from tests.alerts.steps import RATIO_LEVELS
from tests.factories import NOW, make_user


def test_default_rules_make_sense_and_are_given_once(team):
    make_user(team=team, email="owner@example.com")

    defaults.ensure_defaults(team=team, now=NOW)
    AlertRule.objects.filter(name="Margin ratio").delete()
    defaults.ensure_defaults(team=team, now=NOW)

    rules = list(AlertRule.objects.filter(team=team))
    assert len(rules) == len(defaults.DEFAULT_RULES) - 1
    for rule in rules:
        rule.full_clean()
    assert Channel.objects.get(team=team).config == {"to": "owner@example.com"}


def test_an_owner_without_an_address_gets_mail_into_the_file(team):
    make_user(team=team)

    defaults.ensure_defaults(team=team, now=NOW)

    assert Channel.objects.get(team=team).config == {"to": "owner@localhost"}


def test_a_rule_that_makes_no_sense_is_not_stored(team):
    rule = AlertRule(team=team, name="bad", measure="nonsense", levels=RATIO_LEVELS)

    with pytest.raises(ValidationError, match="no measure 'nonsense'"):
        services.save_rule(rule=rule, now=NOW)

    assert not AlertRule.objects.exists()
