"""Families: the switches that many venues share, and the way to a venue's own rule from one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from positions.engine.rules import Basis, ClosingFee, Leftover, MarginRules
from positions.engine.types import ContractKind


def _make() -> Iterator[MarginRules]:
    linear = {"kind": ContractKind.LINEAR, "leftover": Leftover.OWNER}
    inverse = {"kind": ContractKind.INVERSE, "leftover": Leftover.OWNER}
    mark: dict[str, Any] = {"basis": Basis.MARK}
    entry: dict[str, Any] = {"basis": Basis.ENTRY}
    flat: dict[str, Any] = {"is_cumulative": False}
    kept: dict[str, Any] = {"leftover": Leftover.INSURANCE}
    source = "docs/formulas.md, of the families"
    for key, *switches in (
        ("linear-mark", linear, mark),
        ("linear-mark-flat", linear, mark, flat),
        ("linear-mark-strict", linear, mark, {"is_strict": True}),
        ("linear-mark-fee", linear, mark, {"closing_fee": ClosingFee.MARK}),
        ("linear-mark-fee-flat", linear, mark, flat, {"closing_fee": ClosingFee.MARK}),
        ("linear-entry", linear, entry, kept),
        ("inverse-mark", inverse, mark),
        ("inverse-mark-fee", inverse, mark, {"closing_fee": ClosingFee.MARK}),
        ("inverse-entry", inverse, entry, kept),
    ):
        together: dict[str, Any] = {}
        for each in switches:
            together |= each
        yield MarginRules(key=key, source=source, **together)


FAMILIES = {rule.key: rule for rule in _make()}


def rule(key: str, family: str, *, product: str, source: str, **switches: Any) -> MarginRules:
    """Return a family's rule as a venue states it.

    The venue is the first word of the key unless `venue` says otherwise; `leftover` is not stated
    unless it is given.
    """
    venue = switches.pop("venue", key.partition("-")[0])
    switches.setdefault("leftover", None)
    return replace(
        FAMILIES[family], key=key, venue=venue, product=product, source=source, **switches
    )
