"""Judge a key by what its venue says that it may do: pure, facts in, findings out.

A key that can move money away is refused. What else is more than reading needs is warned of.
What a venue does not say is not known, and never called safe.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from riskhub.formatting import timestamp
from venues.key_facts import KeyFacts

EXPIRES_SOON = timedelta(days=14)
AGENT = "agent"
MISSING = "missing"
_TEST_HOSTS = ("testnet", "demo", "sandbox", "paper", "localhost", "127.0.0.1", "[::1]")
# A credential of this name signs whatever it is given, unless the venue says otherwise.
_SIGNS = "privateKey"


class FindingSeverity(StrEnum):
    """How much a finding matters.

    refused   the account is not read with this key at all
    critical  the same, found out later: the account goes on being read, its owner must act now
    warning   more than reading needs, or not known
    told      nothing to act on, but to be kept in mind
    """

    REFUSED = "refused"
    CRITICAL = "critical"
    WARNING = "warning"
    TOLD = "told"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to say about a key, in a sentence that says what to do."""

    code: str
    severity: FindingSeverity
    sentence: str


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose key it is, without the key.

    label         the venue's name for people
    credentials   names of the secret fields that are stored; none: a wallet address alone
    environment   the base URL in place of the venue's own hosts; "" for the venue itself
    """

    label: str
    credentials: Sequence[str] = ()
    wallet: str = ""
    environment: str = ""


def judge(*, facts: KeyFacts | None, holder: Holder, now: datetime) -> tuple[Finding, ...]:
    """Return what is to be said about a key, the gravest first; () when there is nothing.

    facts  None where the venue does not tell, or could not be asked
    """
    known = facts or KeyFacts()
    found: list[Finding] = [*_about_wallet(known, holder)]
    if holder.credentials:
        found += [*_about_rights(known, holder), *_about_expiry(known, now)]
        found += _about_unknown(known, holder)
    found += _about_environment(holder)
    order = list(FindingSeverity)
    return tuple(sorted(found, key=lambda each: order.index(each.severity)))


def is_refused(findings: Iterable[Finding]) -> bool:
    """Tell whether an account must not be read with this key."""
    return any(each.severity == FindingSeverity.REFUSED for each in findings)


def soften(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings for an account that is being read: what would be refused is critical.

    A trader who sees nothing any more is worse off than one whose key must be changed.
    """
    return tuple(
        Finding(each.code, FindingSeverity.CRITICAL, _URGENT.get(each.code, each.sentence))
        if each.severity == FindingSeverity.REFUSED
        else each
        for each in findings
    )


def refusal(findings: Iterable[Finding]) -> str:
    """Return why a key is refused and what to do, the gravest reason; "" when it is not."""
    refused = (each.sentence for each in findings if each.severity == FindingSeverity.REFUSED)
    return next(refused, "")


def write(findings: Iterable[Finding]) -> list[dict[str, str]]:
    """Return findings as they are stored."""
    return [{name: str(value) for name, value in asdict(each).items()} for each in findings]


def read(stored: Any) -> tuple[Finding, ...]:
    """Return findings that were stored; what has another shape is left out."""
    rows = stored if isinstance(stored, list) else []
    return tuple(_finding(row) for row in rows if _is_finding(row))


def measure(findings: Iterable[Finding]) -> float:
    """Return how bad it is as a number for rules: 1 for each warning, 100 for what is critical.

    One more finding is a higher number, so that it is news of its own.
    """
    weights = {FindingSeverity.WARNING: 1.0, FindingSeverity.CRITICAL: 100.0}
    return sum(weights.get(each.severity, 0.0) for each in findings)


def _is_finding(row: object) -> bool:
    return isinstance(row, Mapping) and row.get("severity") in list(FindingSeverity)


def _finding(row: Mapping[str, Any]) -> Finding:
    severity = FindingSeverity(row["severity"])
    return Finding(str(row.get("code", "")), severity, str(row.get("sentence", "")))


_REMOVE = "Take that permission away at the venue at once, or replace the key here"
_URGENT = {
    "withdraw": "This key can now withdraw money. "
    f"{_REMOVE}; positions go on being read meanwhile.",
    "transfer": "This key can now move money to other accounts. "
    f"{_REMOVE}; positions go on being read meanwhile.",
}


def _about_rights(facts: KeyFacts, holder: Holder) -> Iterable[Finding]:
    instead = f"Make a key at {holder.label} that may only read, and enter that one."
    if facts.can_withdraw:
        yield _refused("withdraw", f"This key can withdraw money, so it was not kept. {instead}")
    if facts.can_transfer:
        yield _refused(
            "transfer",
            f"This key can move money to other accounts, so it was not kept. {instead}",
        )
    if _SIGNS in holder.credentials and facts.can_withdraw is None:
        yield _warned(
            "private_key",
            "A private key is stored here, and whoever holds it can do all that the wallet can. "
            "Use one made for this alone, or a wallet address where that is enough.",
        )
    if facts.can_trade:
        yield _warned(
            "trade", "This key can trade, which reading does not need. Take that permission away."
        )
    if facts.is_address_bound is False:
        yield _warned(
            "no_address_lock",
            "This key works from any address. Bind it to the address of this machine.",
        )


def _about_expiry(facts: KeyFacts, now: datetime) -> Iterable[Finding]:
    ends = facts.expires_at
    if ends is None:
        return
    if ends <= now:
        yield _warned(
            "expired",
            f"This key has expired on {timestamp(ends)}. Make a new one and replace it here.",
        )
    elif ends - now <= EXPIRES_SOON:
        yield _warned(
            "expires_soon",
            f"This key expires on {timestamp(ends)}. Renew it at the venue, or replace it here, "
            "before reading stops.",
        )


def _about_unknown(facts: KeyFacts, holder: Holder) -> Iterable[Finding]:
    rights = {
        "withdraw": facts.can_withdraw,
        "move money to other accounts": facts.can_transfer,
        "trade": facts.can_trade,
    }
    unknown = [name for name, right in rights.items() if right is None]
    if unknown:
        yield _warned(
            "permissions_unknown",
            f"Permissions unknown: {holder.label} does not tell whether this key may "
            f"{_either(unknown)}. Look at the venue that it may only read.",
        )
    elif facts.is_address_bound is None:
        yield _warned(
            "address_lock_unknown",
            f"{holder.label} does not tell whether this key is bound to addresses. "
            "Look at the venue that it is.",
        )


def _about_wallet(facts: KeyFacts, holder: Holder) -> Iterable[Finding]:
    if facts.wallet_role == AGENT:
        main = facts.main_wallet
        yield _refused(
            "agent_wallet",
            "This is an API wallet: it signs for another wallet and holds no position itself, so "
            "its book would always look empty. "
            + (f"Add the main wallet {main} instead." if main else "Add the main wallet instead."),
        )
    elif facts.wallet_role == MISSING:
        yield _warned(
            "unused_wallet",
            f"{holder.label} has never seen this wallet. Check the address: a wrong one looks like "
            "an account without positions.",
        )


def _about_environment(holder: Holder) -> Iterable[Finding]:
    if not holder.environment:
        return
    host = (urlsplit(holder.environment).netloc or holder.environment).lower()
    if any(name in host for name in _TEST_HOSTS):
        what = f"This account is read at {host}, which looks like a demo or a testnet: no real "
        yield Finding("test_environment", FindingSeverity.TOLD, f"{what}money is shown.")
    else:
        yield Finding(
            "other_environment",
            FindingSeverity.TOLD,
            f"This account is read at {host} and not at {holder.label}'s own hosts.",
        )


def _refused(code: str, sentence: str) -> Finding:
    return Finding(code, FindingSeverity.REFUSED, sentence)


def _warned(code: str, sentence: str) -> Finding:
    return Finding(code, FindingSeverity.WARNING, sentence)


def _either(names: Sequence[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last
