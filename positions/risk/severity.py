"""How urgent a position is, from its margin ratio and its distance."""

from __future__ import annotations

from positions.engine.types import Severity

# The same levels as the default alert rules: the page and the mail agree.
WARNING_RATIO, CRITICAL_RATIO = 0.70, 0.85
WARNING_DISTANCE, CRITICAL_DISTANCE = 0.10, 0.05


def severity(
    *, margin_ratio: float | None, distance: float | None, is_bankrupt: bool = False
) -> Severity:
    """Return the worse of what ratio and distance say; `unknown` when neither is known.

    margin_ratio  required / equity, 1 is liquidation; None when unknown
    distance      fraction of the trigger price; None when unknown
    is_bankrupt   equity is 0 or less: critical, though there is no ratio
    """
    if is_bankrupt:
        return Severity.CRITICAL
    if margin_ratio is None and distance is None:
        return Severity.UNKNOWN
    ratio = margin_ratio if margin_ratio is not None else 0.0
    room = distance if distance is not None else 1.0
    if ratio >= CRITICAL_RATIO or room < CRITICAL_DISTANCE:
        return Severity.CRITICAL
    if ratio >= WARNING_RATIO or room < WARNING_DISTANCE:
        return Severity.WARNING
    return Severity.CALM
