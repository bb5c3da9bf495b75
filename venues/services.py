"""Make accounts and give them other keys: what was entered is checked before it is kept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from riskhub import crypto, logs
from riskhub.teams import audit
from riskhub.teams.models import Team
from venues import hygiene, registry
from venues import options as account_options
from venues.base import AccountRequest, VenueAdapter
from venues.errors import BadAccount
from venues.models import Account, KeyCheck

_LONGEST_LABEL = 60
_LONGEST_WALLET = 120
_LONGEST_URL = 300
_LONGEST_SECRET = 8_000
# 64 hexadecimal digits, a base58 key pair, an extended key, or a list of words.
_PRIVATE_KEY = re.compile(
    r"(0x)?[0-9a-fA-F]{64}|[1-9A-HJ-NP-Za-km-z]{85,90}|xprv\w{100,}|(ed25519|PRIVATE KEY).*",
    re.DOTALL,
)
_SEED_WORDS = (12, 15, 18, 21, 24)
_WORD = re.compile(r"[a-z]{3,8}")
# What people call the third secret; ccxt calls it password.
_ALIASES = {"passphrase": "password", "apisecret": "secret", "secretkey": "secret"}


def create_account(
    *,
    team: Team,
    venue: str,
    label: str,
    now: datetime,
    wallet: str = "",
    credentials: Mapping[str, str] | None = None,
    environment: str = "",
    options: Mapping[str, Any] | None = None,
    user: User | AnonymousUser | None = None,
) -> Account:
    """Make an account that is due for its first poll at once, and record who made it.

    It is read as soon as its key has been looked at (positions/key_checks.py).

    credentials     secret fields by name; spelling is forgiven (API_KEY is apiKey)
    environment     base URL in place of the venue's own hosts; "" for the venue itself
    options         what the adapter declares, such as "scopes"

    Raises BadAccount with one sentence that says what to do and holds no secret.
    """
    adapter = registry.get(venue.strip().lower())
    account = Account(
        team=team,
        venue=adapter.slug,
        label=check_label(label),
        wallet=check_wallet(wallet, adapter=adapter),
        environment=check_base_url(environment),
        options=check_options(options or {}, adapter=adapter),
        is_simulated=adapter.is_simulated,
        poll_budget_s=settings.POLL_BUDGET_S,
        next_poll_at=now,
        created_at=now,
    )
    secrets = check_credentials(credentials or {}, adapter=adapter, has_wallet=bool(account.wallet))
    _refuse_twin(account)
    account.credentials = crypto.Secrets.of(secrets)
    _save(account, names=sorted(secrets), user=user, now=now)
    return account


def replace_key(
    *,
    team: Team,
    account_id: int,
    credentials: Mapping[str, str],
    now: datetime,
    user: User | AnonymousUser | None = None,
) -> Account:
    """Give an account another key, let it be read at once, and record who did it.

    Every secret field is entered again: a new key beside an old secret would be refused.
    What the old key is still being asked is dropped when it comes.

    Raises BadAccount with one sentence that holds no secret, and Account.DoesNotExist, for another
    team's too.
    """
    with transaction.atomic():
        account = hold_account(team=team, account_id=account_id)
        adapter = registry.get(account.venue)
        if not adapter.credentials:
            raise BadAccount(f"{adapter.label} needs no key, so there is none to replace.")
        if not credentials:
            raise BadAccount(f"Enter the new key: {_listed(adapter.credentials)}.")
        has_wallet = bool(account.wallet)
        secrets = check_credentials(credentials, adapter=adapter, has_wallet=has_wallet)
        account.credentials = crypto.Secrets.of(secrets)
        account.ingested_cycle = account.cycle
        # What was found of the old key goes first: it may be why reading had stopped.
        _ask_for_check(account, adapter=adapter, now=now)
        changed = ["credentials", "ingested_cycle", *begin_again(account, now=now)]
        account.save(update_fields=changed)
        audit.record(
            team=team,
            action="account.key_replaced",
            subject=str(account),
            now=now,
            user=user,
            detail={"credentials": sorted(secrets)},
        )
    return account


def hold_account(*, team: Team, account_id: int) -> Account:
    """Lock an account of the team, without its secrets; raises Account.DoesNotExist."""
    rows = Account.objects.select_for_update().defer("credentials")
    return rows.get(pk=account_id, team=team)


def begin_again(account: Account, *, now: datetime) -> list[str]:
    """Make an account due at once and forget why it failed; return the columns to save.

    What a key was refused for is not forgotten: only another key ends that (`replace_key`).
    """
    check = KeyCheck.objects.filter(pk=account.pk).first()
    if check is not None and hygiene.is_refused(hygiene.read(check.findings)):
        return []
    account.blocked_reason = ""
    account.failures = account.auth_failures = 0
    account.next_poll_at = now
    return ["blocked_reason", "failures", "auth_failures", "next_poll_at"]


def unchecked_keys() -> QuerySet[KeyCheck, int]:
    """Return the ids of accounts whose key nobody has looked at yet, for a condition.

    A look that could not be made has left its `error`: it holds nobody up.
    """
    unseen = KeyCheck.objects.filter(checked_at=None, error="")
    return unseen.values_list("account_id", flat=True)


def has_key_to_check(account: Account, *, adapter: VenueAdapter) -> bool:
    """Tell whether there is anything to find out about how an account is read."""
    tells = type(adapter).read_key is not VenueAdapter.read_key
    return not adapter.is_simulated and (tells or bool(account.credentials))


def _ask_for_check(account: Account, *, adapter: VenueAdapter, now: datetime) -> None:
    """Have the key looked at before anything is read with it; call it in its transaction."""
    if not has_key_to_check(account, adapter=adapter):
        return
    KeyCheck.objects.update_or_create(
        account=account,
        defaults={"facts": {}, "findings": [], "checked_at": None, "next_at": now, "error": ""},
    )


def check_label(label: str) -> str:
    """Return a label without space around it; raises BadAccount."""
    label = label.strip()
    if not label:
        raise BadAccount("The account needs a label, a short name of your own.")
    if is_private(label):
        raise BadAccount("The label looks like a private key; choose a name that is no secret.")
    if len(label) > _LONGEST_LABEL or not label.isprintable():
        raise BadAccount(f"A label has up to {_LONGEST_LABEL} printable characters.")
    return label


def check_wallet(wallet: str, *, adapter: VenueAdapter) -> str:
    """Return a wallet address in its canonical spelling; raises BadAccount.

    What looks like a private key or a seed phrase is refused and never echoed.
    """
    wallet = wallet.strip()
    if not wallet:
        return ""
    if is_private(wallet):
        raise BadAccount(
            "This looks like a private key or a seed phrase. RiskHub reads with the public wallet "
            "address alone; treat what you entered as exposed if others can see your screen."
        )
    if not adapter.needs_wallet and "walletAddress" not in adapter.credentials:
        raise BadAccount(f"{adapter.label} takes no wallet address; leave it out.")
    if len(wallet) > _LONGEST_WALLET or not wallet.isprintable():
        raise BadAccount("The wallet address is too long or holds unprintable characters.")
    return adapter.check_wallet(wallet)


def is_private(text: str) -> bool:
    """Tell whether a text is shaped like a private key or a seed phrase."""
    words = text.split()
    is_seed = len(words) in _SEED_WORDS and all(_WORD.fullmatch(word) for word in words)
    return is_seed or _PRIVATE_KEY.fullmatch(text.strip()) is not None


def check_credentials(
    given: Mapping[str, str], *, adapter: VenueAdapter, has_wallet: bool
) -> dict[str, str]:
    """Return the secret fields under the adapter's names; raises BadAccount naming the field.

    Where a wallet address is enough, no other field is needed.
    """
    names = {_plain(name): name for name in adapter.credentials}
    secrets = dict(_named(item, names=names, adapter=adapter) for item in given.items())
    if adapter.needs_wallet and not has_wallet:
        raise BadAccount(f"{adapter.label} needs the wallet address of the account.")
    is_enough = adapter.needs_wallet and not secrets
    missing = [] if is_enough else [name for name in adapter.credentials if name not in secrets]
    if missing:
        needed = _listed(adapter.credentials)
        raise BadAccount(f"{adapter.label} needs {needed}; missing: {_listed(missing)}.")
    for value in secrets.values():
        logs.remember_secret(value)
    return secrets


def check_options(options: Mapping[str, Any], *, adapter: VenueAdapter) -> dict[str, Any]:
    """Return the options if the adapter knows each of them and its value; raises BadAccount."""
    account_options.check(options, declared=adapter.account_options, label=adapter.label)
    # Which scopes there are may hang on another option, such as a builder's exchange.
    adapter.scopes(
        AccountRequest(
            account_id=0, venue=adapter.slug, environment="", label="", options=dict(options)
        )
    )
    return dict(options)


def check_base_url(url: str) -> str:
    """Return a base URL without a slash at its end, or ""; raises BadAccount."""
    url = url.strip().rstrip("/")
    if not url:
        return ""
    try:
        parts = urlsplit(url)
        is_sound = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_sound = False
    if not is_sound or not url.isprintable() or " " in url or len(url) > _LONGEST_URL:
        raise BadAccount("The base URL should look like https://host or http://host:port/path.")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise BadAccount("The base URL must hold no user, password, query or fragment.")
    return url


def _named(
    item: tuple[str, str], *, names: Mapping[str, str], adapter: VenueAdapter
) -> tuple[str, str]:
    given, value = item
    plain = _plain(given)
    name = names.get(plain) or names.get(_ALIASES.get(plain, ""))
    if name is None:
        takes = _listed(adapter.credentials) or "no credentials"
        raise BadAccount(f"{adapter.label} takes {takes}, not {account_options.shown(given)}.")
    if not isinstance(value, str) or not value.strip() or len(value) > _LONGEST_SECRET:
        raise BadAccount(f"{name} is empty, too long or no text.")
    return name, value.strip()


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _listed(names: tuple[str, ...] | list[str]) -> str:
    *first, last = names or [""]
    return f"{', '.join(first)} and {last}" if first else last


def _refuse_twin(account: Account) -> None:
    """Refuse a label used twice, and a wallet that would count every position twice."""
    others = Account.objects.filter(team=account.team, venue=account.venue)
    if others.filter(label=account.label).exists():
        raise _label_taken(account)
    same = others.filter(
        wallet=account.wallet, environment=account.environment, options=account.options
    )
    twin = same.first() if account.wallet else None
    if twin is not None:
        raise BadAccount(f"This wallet is already read as {twin}; its positions would count twice.")


def _label_taken(account: Account) -> BadAccount:
    return BadAccount(f"There is already an account {account}; choose another label.")


def _save(
    account: Account,
    *,
    names: list[str],
    user: User | AnonymousUser | None,
    now: datetime,
) -> None:
    try:
        with transaction.atomic():
            account.save(force_insert=True)
            _ask_for_check(account, adapter=registry.get(account.venue), now=now)
            audit.record(
                team=account.team,
                action="account.added",
                subject=str(account),
                now=now,
                user=user,
                # Names alone: the values are secrets, and an option may hold one by mistake.
                detail={
                    "wallet": account.wallet,
                    "environment": account.environment,
                    "credentials": names,
                    "options": sorted(account.options),
                },
            )
    except IntegrityError:
        raise _label_taken(account) from None
