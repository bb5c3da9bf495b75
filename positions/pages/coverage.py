"""Coverage in plain values: what was seen, what was not, and what each answer was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict
from django.urls import reverse

from positions.coverage import Answer, FeedSight, PartSight, Sights, SightState, refused_of
from positions.models import Position
from positions.pages.accounts import LATE, NOT_YET, refusal_rows
from positions.pages.headline import Sentence
from riskhub import formatting
from venues import registry
from venues.models import FeedKind

_ANSWERS = {
    Answer.POSITIONS: ("positions", "calm", "The venue answered in full and shows positions."),
    Answer.FLAT: ("flat book", "calm", "The venue answered in full and nothing is held."),
    Answer.PART: (
        "rows refused",
        "warning",
        "The venue answered, and some of its rows could not be read.",
    ),
    Answer.EMPTY: (
        "empty answer",
        "warning",
        "The venue sent nothing at all: that is no flat book.",
    ),
    Answer.UNREADABLE: (
        "unreadable answer",
        "warning",
        "The venue sent something that is not the documented answer.",
    ),
    Answer.NONE: ("no answer", "warning", "The venue was not reached, or refused."),
    Answer.UNASKED: ("not asked yet", "unknown", "Nobody has asked the venue yet."),
}
_STATES = {
    SightState.FRESH: "calm",
    SightState.LATE: "",
    SightState.STALE: "warning",
    SightState.NEVER: "warning",
    SightState.IDLE: "",
}
_STATE_WORDS = {
    SightState.FRESH: "Read within its turn.",
    SightState.LATE: "A turn was missed; it may still be believed.",
    SightState.STALE: "Too old to be believed: what has happened since is not known.",
    SightState.NEVER: "Never read.",
    SightState.IDLE: "Nothing is held there, so it is not read.",
}
_FEEDS = {
    FeedKind.PRICES: "prices",
    FeedKind.FUNDING: "funding",
    FeedKind.RULES: "margin rules and limits",
    FeedKind.CANDLES: "candles",
    FeedKind.DEPTH: "order books",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person narrows the list of parts to; empty means all."""

    venue: str = ""
    account: str = ""
    state: str = ""

    @classmethod
    def of(cls, query: QueryDict) -> Wanted:
        """Return what an address asks for; what it cannot mean narrows to nothing."""
        return cls(*(query.get(name, "").replace("\0", "") for name in cls.__slots__))

    def fits(self, part: PartSight) -> bool:
        """Tell whether a part is among it."""
        told = (part.account.venue, part.account.label, part.age.state)
        return all(not want or want == is_ for want, is_ in zip(self._all(), told, strict=True))

    def _all(self) -> tuple[str, str, str]:
        return self.venue, self.account, self.state


def coverage_sentence(sights: Sights) -> Sentence:
    """Return the first sentence of the page."""
    blind, count = len(sights.blind), len(sights.parts)
    if not count:
        return Sentence(before="No account is being read", severity="unknown")
    if blind:
        return Sentence(
            before=f"{formatting.count(blind)} of {_parts(count)} "
            f"{'is' if blind == 1 else 'are'} not seen",
            severity="warning",
            sub="What is held there is shown as last read; what has happened since is not known.",
        )
    before = "The one part there is is seen" if count == 1 else f"All {_parts(count)} are seen"
    refused = sum(part.entry.refused for part in sights.parts if part.entry)
    if refused:
        rows = "row" if refused == 1 else "rows"
        sub = f"But {formatting.count(refused)} {rows} could not be read; each may be a position."
        return Sentence(before=before, severity="warning", sub=sub)
    return Sentence(before=before, severity="calm")


def _parts(count: int) -> str:
    return f"{formatting.count(count)} {'part' if count == 1 else 'parts'}"


def urgency(part: PartSight) -> tuple[bool, bool, bool, str, str, str]:
    """Return the order of parts: unseen ones first, then those with refused rows."""
    account = part.account
    return (
        not part.is_blind,
        part.answer in {Answer.POSITIONS, Answer.FLAT},
        account.is_simulated,
        account.venue,
        account.label,
        part.scope,
    )


def _state_why(part: PartSight) -> str:
    words = _STATE_WORDS[part.age.state]
    if not part.is_slowed:
        return words
    every = formatting.duration(part.account.poll_budget_s)
    return f"{words} Polled every {every}: the venue allows no more for all accounts there."


def part_row(part: PartSight) -> dict[str, Any]:
    """Return one part of an account."""
    account, entry = part.account, part.entry
    label, tone, why = _ANSWERS[part.answer]
    refusals, more = refusal_rows(entry) if entry else ([], 0)
    return {
        "venue": registry.label(account.venue),
        "account": account.label,
        "environment": account.environment,
        "is_simulated": account.is_simulated,
        "is_blind": part.is_blind,
        "scope": part.scope,
        "state": part.age.state,
        "state_tone": _STATES[part.age.state],
        "state_why": _state_why(part),
        "answer": label,
        "answer_tone": tone,
        "answer_why": why,
        "rows": formatting.count(entry.rows if entry else None),
        "refused": formatting.count(refused_of(entry)),
        "refusals": refusals,
        "more_refusals": more,
        "seen_at": entry.seen_at if entry else None,
        "tried_at": entry.tried_at if entry and entry.error else None,
        "allowed": formatting.duration(part.age.allowed_s),
        "problem": part.problem or _excuse(part),
    }


def _excuse(part: PartSight) -> str:
    """What stands where a part is not seen and no error says why."""
    if part.answer == Answer.UNASKED:
        return NOT_YET
    return LATE if part.is_blind else ""


def gone_row(position: Position) -> dict[str, Any]:
    """Return a position that vanished without a word."""
    account = position.account
    return {
        "id": position.pk,
        "url": reverse("position", args=[position.pk]),
        "title": position.market.asset or position.market.symbol,
        "symbol": position.market.symbol,
        "side": position.side,
        "venue": registry.label(account.venue),
        "account": account.label,
        "is_simulated": account.is_simulated,
        "seen_at": position.received_at,
        "gone_at": getattr(position, "gone_at", None),
    }


def feed_row(sight: FeedSight) -> dict[str, Any]:
    """Return one feed of a venue."""
    feed, state = sight.feed, sight.age.state
    return {
        "venue": registry.label(feed.venue),
        "environment": feed.environment,
        "kind": _FEEDS.get(FeedKind(feed.kind), feed.kind),
        "state": state,
        "state_tone": _STATES[state],
        "state_why": _STATE_WORDS[state],
        "is_blind": sight.is_blind,
        "received_at": feed.received_at,
        "allowed": formatting.duration(sight.age.allowed_s),
        "problem": feed.error,
    }


def filter_fields(parts: Sequence[PartSight], *, wanted: Wanted) -> list[dict[str, Any]]:
    """Return the fields by which the parts are narrowed."""
    venues = {part.account.venue: registry.label(part.account.venue) for part in parts}
    labels = {part.account.label: part.account.label for part in parts}
    states = {str(state): str(state) for state in SightState if state != SightState.IDLE}
    return [
        _field("venue", "Venue", venues, wanted.venue),
        _field("account", "Account", labels, wanted.account),
        _field("state", "State", states, wanted.state),
    ]


def _field(name: str, label: str, choices: dict[str, str], chosen: str) -> dict[str, Any]:
    values = [("", "All"), *sorted(choices.items(), key=lambda pair: pair[1].lower())]
    return {
        "name": name,
        "label": label,
        "options": [
            {"value": value, "label": text, "is_selected": value == chosen}
            for value, text in values
        ],
    }
