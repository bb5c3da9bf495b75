"""The first sentence of the overview: what dies first, how far it is, and what would help."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.urls import reverse

from positions.engine.types import PositionState, Severity
from positions.models import Position
from positions.overview import TARGET_DISTANCE, Headline, Summary
from positions.pages.phrases import FIRST, Phrase, figure_of, kind_of
from positions.pages.rows import label_of, state_of
from positions.selectors import AccountCoverage
from riskhub import formatting
from venues import registry

_MOST_NAMES = 3
# Reasons of the engine that begin so are answers: no price liquidates such a position.
_SAFE = "none:"


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of the second line.

    field  the figure of the position that it shows, so that it moves live
    at     an instant whose age it shows
    """

    text: str = ""
    field: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Sentence:
    """A headline in the parts that its template sets apart.

    figure, figure_end  what is set in the colour of the severity
    own                 of the second line, what speaks of the position alone
    sub                 the rest of it
    position_id, url    of the position it speaks of; "" for none
    label, phrases      its name, and what can be said of it live; none: the words stand still
    is_first            whether it goes to another position when that one dies first
    """

    before: str
    severity: str = ""
    figure: str = ""
    figure_end: str = ""
    after: str = ""
    own: Sequence[Part] = ()
    sub: str = ""
    position_id: str = ""
    url: str = ""
    label: str = ""
    phrases: Mapping[str, Phrase] = field(default_factory=dict)
    is_first: bool = False


def say(position: Position, *, label: str, phrases: Mapping[str, Phrase]) -> Sentence:
    """Return what the phrases say of a position, without a second line."""
    phrase = phrases[kind_of(position)]
    return Sentence(
        before=phrase.before.format(label),
        severity=position.severity,
        figure=figure_of(position, phrase),
        figure_end=phrase.end,
        after=phrase.after,
        position_id=str(position.pk),
        label=label,
        phrases=phrases,
    )


def say_first(summary: Summary, *, now: datetime) -> Sentence:
    """Return what the overview says first."""
    unseen = say_unseen(summary.coverage)
    if summary.headline is not None:
        return _first(summary, summary.headline, unseen, now)
    if summary.held:
        return Sentence(
            before=_all_unknown(summary.held),
            severity=Severity.UNKNOWN,
            sub=_join(_why_unranked(summary.unranked), unseen),
        )
    if unseen:
        return Sentence(
            before="Nothing is open in what was seen", severity=Severity.UNKNOWN, sub=unseen
        )
    return Sentence(before="No position is open", severity=Severity.CALM, sub=_all_seen(summary))


def _all_unknown(held: int) -> str:
    if held == 1:
        return "How far the one position is from liquidation is not known"
    return f"How far any of {formatting.count(held)} positions is from liquidation is not known"


def _all_seen(summary: Summary) -> str:
    count = len(summary.coverage)
    return "The one account was seen." if count == 1 else f"All {count} accounts were seen."


def _first(summary: Summary, headline: Headline, unseen: str, now: datetime) -> Sentence:
    position = headline.position
    own = _join(_advice(headline), _say_stale(position, now))
    return replace(
        say(position, label=label_of(position), phrases=FIRST),
        own=[Part(own)] if own else [],
        sub=_join(
            "Only simulated positions are held." if position.account.is_simulated else "",
            _unranked(summary),
            unseen,
        ),
        url=reverse("position", args=[position.pk]),
        is_first=True,
    )


def _advice(headline: Headline) -> str:
    distance = headline.position.liquidation_distance
    if headline.add_margin_usd is None or distance is None or distance >= TARGET_DISTANCE:
        return ""
    amount = formatting.money(headline.add_margin_usd)
    return f"{amount} more margin moves it to {formatting.percent(TARGET_DISTANCE, digits=0)}."


def _say_stale(position: Position, now: datetime) -> str:
    if state_of(position, now=now) != PositionState.STALE:
        return ""
    return f"It was last read {formatting.age(now - position.received_at)} ago and may have moved."


def _unranked(summary: Summary) -> str:
    count = sum(not _is_safe(position) for position in summary.unranked)
    if not count:
        return ""
    verb = "position cannot" if count == 1 else "positions cannot"
    return f"{formatting.count(count)} {verb} be ranked: no distance is known."


def _is_safe(position: Position) -> bool:
    reason = position.provenance.reasons.get("liquidation_distance", "")
    return str(reason).startswith(_SAFE)


def _why_unranked(positions: Sequence[Position]) -> str:
    reasons = {
        str(reason)
        for position in positions
        if (reason := position.provenance.reasons.get("liquidation_distance"))
    }
    return f"Why: {'; '.join(sorted(reasons)[:_MOST_NAMES])}." if reasons else ""


def say_unseen(coverage: Sequence[AccountCoverage]) -> str:
    """Return which accounts were not seen, in one sentence; "" when all were."""
    blind = [account_name(each) for each in coverage if each.is_blind]
    if not blind:
        return ""
    names = ", ".join(blind[:_MOST_NAMES]) + (" and more" if len(blind) > _MOST_NAMES else "")
    if len(blind) == 1:
        return f"{names} was not seen: nothing is known there."
    return f"{formatting.count(len(blind))} accounts were not seen: {names}."


def account_name(covered: AccountCoverage) -> str:
    """Return an account as people name it: "Bybit main"."""
    return f"{registry.label(covered.account.venue)} {covered.account.label}"


def _join(*sentences: str) -> str:
    return " ".join(sentence for sentence in sentences if sentence)
