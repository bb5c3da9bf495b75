"""Every margin rule by key: one entry per venue, product and document date, with its source.

Families come first, for venues whose documents say no more than that; a venue's rule is a family
and what its own text changes. Sources: docs/formulas.md.
"""

from __future__ import annotations

from positions.engine.rules import MarginRules
from positions.engine.types import ContractKind
from positions.engine.venue_rules import entry, lending, mark, mark_with_fee
from positions.engine.venue_rules.families import FAMILIES

RULES: dict[str, MarginRules] = {
    rule.key: rule
    for rule in (
        *FAMILIES.values(),
        *mark.RULES,
        *mark_with_fee.RULES,
        *entry.RULES,
        *lending.RULES,
    )
}


class UnknownRuleError(KeyError):
    """A margin rule was asked for by a name that RULES does not hold."""

    def __str__(self) -> str:
        return f"no margin rule {self.args[0]!r}; known rules: {', '.join(sorted(RULES))}"


def find_rule(*, key: str) -> MarginRules:
    """Return the rule of that name.

    Raises UnknownRuleError (a KeyError) that names the known rules.
    """
    try:
        return RULES[key]
    except KeyError:
        raise UnknownRuleError(key) from None


def rules_of(*, venue: str, kind: ContractKind) -> list[MarginRules]:
    """Return the venue's rules for that kind of contract, the one in force first."""
    return [rule for rule in RULES.values() if rule.venue == venue and rule.kind is kind]
