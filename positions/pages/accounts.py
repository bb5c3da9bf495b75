"""Accounts in plain values: what was last seen of each part, and why not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from positions.coverage import refused_of
from positions.freshness import is_stale, stale_after_s
from positions.pages.headline import Sentence, account_name
from positions.selectors import AccountCoverage
from riskhub import formatting
from venues import hygiene, registry
from venues.hygiene import Finding, FindingSeverity
from venues.models import Account, CoverageEntry, KeyCheck

# Refused rows that are named one by one; the rest is counted.
_MOST_REFUSALS = 10
_TONES = {
    FindingSeverity.REFUSED: "critical",
    FindingSeverity.CRITICAL: "critical",
    FindingSeverity.WARNING: "warning",
    FindingSeverity.TOLD: "",
}
_WORDS = {
    FindingSeverity.REFUSED: "refused",
    FindingSeverity.CRITICAL: "change it now",
    FindingSeverity.WARNING: "look at it",
    FindingSeverity.TOLD: "note",
}
NOT_YET = "It has not been read yet."
LATE = "It was not read in its time."


def accounts_sentence(coverage: Sequence[AccountCoverage]) -> Sentence:
    """Return the first sentence of the accounts page."""
    enabled = [each for each in coverage if each.account.is_enabled]
    blind = [account_name(each) for each in enabled if each.is_blind]
    if not enabled:
        return Sentence(before="No account is being read", severity="unknown")
    if not blind:
        count = formatting.count(len(enabled))
        before = (
            "The one account is seen" if len(enabled) == 1 else f"All {count} accounts are seen"
        )
        return Sentence(before=before, severity="calm")
    return Sentence(
        before=f"{formatting.count(len(blind))} of {formatting.count(len(enabled))} accounts "
        f"{'is' if len(blind) == 1 else 'are'} not seen",
        severity="warning",
        sub="What is held there is shown as last read; what has happened since is not known.",
    )


def urgency(covered: AccountCoverage) -> tuple[bool, bool, bool, str, str]:
    """Return the order of accounts: blind ones first, disabled and simulated ones last."""
    account = covered.account
    return (
        not account.is_enabled,
        not covered.is_blind,
        account.is_simulated,
        account.venue,
        account.label,
    )


def account_row(
    covered: AccountCoverage, *, held: Mapping[int, int], now: datetime
) -> dict[str, Any]:
    """Return an account with its parts.

    held  account id -> positions that are open
    """
    account = covered.account
    return {
        "id": account.pk,
        "name": account_name(covered),
        "venue": registry.label(account.venue),
        "label": account.label,
        "wallet": _short(account.wallet),
        "environment": account.environment,
        "is_simulated": account.is_simulated,
        "is_enabled": account.is_enabled,
        "is_blind": covered.is_blind,
        "has_key": _has_key(account.venue),
        "is_blocked": bool(account.blocked_reason),
        "problem": _problem(covered),
        "positions": held.get(account.pk, 0),
        "next_poll": _next_poll(covered, now),
        "budget": formatting.duration(account.poll_budget_s),
        "budget_s": stale_after_s(account.poll_budget_s),
        "scopes": _scope_rows(covered, now),
        "key": key_row(covered.account),
        "is_refused": is_key_refused(covered.account),
    }


def is_key_refused(account: Account) -> bool:
    """Tell whether reading stopped because of what the key may do: only another one ends that."""
    return bool(account.blocked_reason) and hygiene.is_refused(_findings(account))


def key_row(account: Account) -> dict[str, Any]:
    """Return what is known of an account's key; {} where none is looked at."""
    check = _check(account)
    if check is None or not account.is_enabled:
        return {}
    findings = _findings(account)
    is_checked = check.checked_at is not None or bool(findings)
    return {
        # An address without a key, of which there is nothing to say, needs no row.
        "is_shown": not is_checked or bool(findings or check.facts) or _has_key(account.venue),
        "is_checking": not is_checked,
        "checked_at": check.checked_at,
        "error": check.error if is_checked else "",
        "facts": [{"name": name, "text": text} for name, text in sorted(check.facts.items())],
        "findings": [
            {
                "tone": _TONES[each.severity],
                "word": _WORDS[each.severity],
                "sentence": each.sentence,
            }
            for each in findings
        ],
    }


def _check(account: Account) -> KeyCheck | None:
    check = getattr(account, "key_check", None)
    return check if isinstance(check, KeyCheck) else None


def _findings(account: Account) -> Sequence[Finding]:
    check = _check(account)
    return hygiene.read(check.findings) if check else ()


def _has_key(venue: str) -> bool:
    """Tell whether the venue's accounts are read with secrets, not by a wallet address alone."""
    adapter = registry.find(venue)
    return adapter is not None and bool(adapter.credentials)


def _problem(covered: AccountCoverage) -> str:
    if covered.problem:
        return covered.problem
    return NOT_YET if covered.is_blind and not covered.entries else ""


def _next_poll(covered: AccountCoverage, now: datetime) -> str:
    account = covered.account
    if not account.is_enabled:
        return "off"
    if account.blocked_reason:
        return "stopped"
    if account.next_poll_at is None:
        return "not planned"
    return formatting.countdown(account.next_poll_at - now)


def _excuse(covered: AccountCoverage, entry: CoverageEntry, now: datetime) -> str:
    """What stands where a part is not seen and no error says why."""
    budget_s = covered.account.poll_budget_s
    is_late = is_stale(seen_at=entry.seen_at, budget_s=budget_s, now=now)
    return LATE if is_late and covered.account.is_enabled else ""


def _scope_rows(covered: AccountCoverage, now: datetime) -> list[dict[str, Any]]:
    """Return the parts; what several of them, or the account itself, say is said once.

    It stands at the first part that says it, with the names of the parts that do.
    """
    texts = {entry.scope: entry.error or _excuse(covered, entry, now) for entry in covered.entries}
    said: set[str] = set()
    rows = []
    for place, entry in enumerate(covered.entries):
        named = [covered.account.blocked_reason] if place == 0 else []
        lines = [
            _of_parts(text, texts) for text in [*named, texts[entry.scope]] if text not in said
        ]
        said |= {*named, texts[entry.scope]}
        rows.append(_scope_row(entry, lines=list(dict.fromkeys(line for line in lines if line))))
        rows[-1]["is_said_above"] = bool(texts[entry.scope]) and not rows[-1]["lines"]
    return rows


def _of_parts(text: str, texts: Mapping[str, str]) -> str:
    parts = [scope for scope, each in texts.items() if text and each == text]
    return f"{text} ({', '.join(parts)})" if len(parts) > 1 else text


def _scope_row(entry: CoverageEntry, *, lines: Sequence[str]) -> dict[str, Any]:
    refusals, more = refusal_rows(entry)
    return {
        "name": entry.scope,
        "seen_at": entry.seen_at,
        "rows": formatting.count(entry.rows),
        "refused": refused_of(entry),
        "refusals": refusals,
        "more_refusals": more,
        "tried_at": entry.tried_at,
        "lines": lines,
    }


def refusal_rows(entry: CoverageEntry) -> tuple[list[dict[str, str]], int]:
    """Return some refused rows of a part with their reasons, and how many more there are."""
    known = [each for each in entry.refusals if isinstance(each, dict)][:_MOST_REFUSALS]
    rows = [
        {"symbol": str(each.get("symbol") or "a row"), "reason": str(each.get("reason") or "")}
        for each in known
    ]
    return rows, max(entry.refused - len(rows), 0)


def _short(wallet: str) -> str:
    """Shorten an address: its ends are what people know it by."""
    return wallet if len(wallet) <= 14 else f"{wallet[:6]}…{wallet[-4:]}"  # noqa: PLR2004
