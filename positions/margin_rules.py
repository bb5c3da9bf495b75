"""Which margin rule a position follows: what its venue's row shows, else what its adapter says."""

from __future__ import annotations

from positions.engine.types import ContractKind
from positions.models import Position
from venues import registry


def rule_of(position: Position) -> str | None:
    """Return the key of a position's margin rule; None where there is none."""
    adapter = registry.find(position.account.venue)
    if position.margin_rule or adapter is None or not position.market.kind:
        return position.margin_rule or None
    kind = ContractKind(position.market.kind)
    return adapter.rule_for(kind=kind, options=position.account.options)
