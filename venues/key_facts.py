"""What a venue says that a key may do: the input of the hygiene linter (venues/hygiene.py)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """Permissions of a key in the venue's own words; None where it does not say.

    can_withdraw       money may leave the venue
    can_transfer       money may move to another account or user of the venue
    can_trade          orders may be placed, or margin moved
    is_address_bound   only listed addresses may use the key
    expires_at         when the key ends by itself
    told               the venue's own fields that say so, for the page: name -> text
    wallet_role        what the wallet is at the venue: "main", "agent" (it signs for another wallet
                       and holds nothing itself), "missing" (the venue has never seen it); "" where
                       that is not told
    main_wallet        of an agent: the wallet it signs for; "" where it is not told
    """

    can_withdraw: bool | None = None
    can_transfer: bool | None = None
    can_trade: bool | None = None
    is_address_bound: bool | None = None
    expires_at: datetime | None = None
    told: tuple[tuple[str, str], ...] = ()
    wallet_role: str = ""
    main_wallet: str = ""
