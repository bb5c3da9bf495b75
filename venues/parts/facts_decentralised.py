"""What is known of decentralised venues that the generic adapter reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from positions.engine.types import MarginMode
from venues.unified import ONE_BY_ONE, Facts
from venues.unified_tiers import OfListing, OneRate, Stairs
from venues.wire_fields import Complement, Move, Nowhere, Opposite, Quotient, Scaled, Share, said

WITH_PASSWORD = ("apiKey", "secret", "password")
ORDERLY = ("apiKey", "secret", "accountId")

# Orderly's `unsettled_pnl` counts from the last settlement. Its own SDK reads a row without
# margin_mode as cross, and so do its requests by default.
_ORDERLY = Facts(
    "",
    ORDERLY,
    rules=("orderly-perp",),
    mode_fields=("margin_mode",),
    default_mode=MarginMode.CROSS,
    fields={
        "contracts": said("position_qty"),
        "entry_price": said("average_open_price"),
        "mark_price": said("mark_price"),
        "liquidation_price": said("est_liq_price"),
        "unrealized_pnl": Move("position_qty", since="average_open_price", until="mark_price"),
        "leverage": said("leverage"),
        "collateral": said("margin"),
        "maintenance_rate": said("mmr"),
        "venue_margin_ratio": Nowhere("the venue tells it for the account, not for a position"),
        "adl_rank": said("adl_rank"),
    },
    quirks=(
        "One symbol may have a cross and an isolated position: both are kept.",
        "`unsettled_pnl` counts from the last settlement, so profit since entry is ours: size x "
        "(mark - entry).",
        "ccxt calls every position cross; the row's `margin_mode` is believed, and a row without "
        "it is cross, as in the venue's own client.",
        "`est_liq_price` 0 stands for none.",
    ),
)

DECENTRALISED: Mapping[str, Facts] = {
    "apex": Facts(
        "ApeX",
        WITH_PASSWORD,
        fields={
            "contracts": said("size"),
            "entry_price": said("entryPrice"),
            "leverage": Share(1, "customInitialMarginRate"),
        },
        tiers=OfListing(
            Stairs(
                rate="maintenanceMarginRate",
                first="baselinePositionValue",
                step="incrementalPositionValue",
                rise="incrementalMaintenanceMarginRate",
                top_rate="maxMaintenanceMarginRate",
                top_value="maxPositionValue",
            )
        ),
        quirks=(
            "Sizes count coins; ccxt takes the smallest order for the size of a contract.",
            "Leverage is 1 / `customInitialMarginRate`; where that is 0 none was chosen, and "
            "ccxt's 20 is invented.",
        ),
    ),
    "derive": Facts(
        "Derive",
        ("privateKey", "walletAddress"),
        prices="",
        params={"subaccount_id": ()},
        posts=(
            "/v3/private/get_positions",
            "/v3/public/get_all_instruments",
            "/v3/public/get_time",
            "/v3/public/get_tradingview_chart_data",
        ),
        fields={
            "contracts": said("amount"),
            "entry_price": said("average_price"),
            "mark_price": said("mark_price"),
            "index_price": said("index_price"),
            "liquidation_price": said("liquidation_price"),
            "unrealized_pnl": said("unrealized_pnl"),
            "leverage": Nowhere("the row's leverage is the whole account's"),
            "collateral": Nowhere(),
            "maintenance_margin": Nowhere(
                "the row holds a contribution to the account's margin, not a position's own"
            ),
            "maintenance_rate": Nowhere(),
        },
        quirks=(
            "`initial_margin` and `maintenance_margin` are (negative) contributions to the "
            "subaccount's margin, and `leverage` is the subaccount's: none of them is shown.",
            "`average_price` includes fees.",
        ),
    ),
    "extended": Facts(
        "Extended",
        ("apiKey",),
        fields={
            "contracts": said("size"),
            "entry_price": said("openPrice"),
            "adl_rank": said("adl"),
        },
        quirks=("The row does not say whether the margin is isolated.",),
    ),
    "grvt": Facts(
        "GRVT",
        ("privateKey",),
        prices=ONE_BY_ONE,
        posts=(
            "/auth/wallet/login",
            "/full/v1/positions",
            "/full/v1/all_instruments",
            "/full/v1/currency",
            "/full/v1/ticker",
            "/full/v1/kline",
            "/full/v1/book",
            "/full/v1/get_sub_accounts",
            "/full/v1/aggregated_account_summary",
        ),
        mode_fields=("margin_type",),
        fields={
            "contracts": said("size"),
            "entry_price": said("entry_price"),
            "liquidation_price": said("est_liquidation_price"),
            "collateral": said("isolated_balance"),
            "maintenance_margin": said("isolated_mm"),
            "maintenance_rate": Nowhere(),
            "venue_margin_ratio": Nowhere(),
        },
    ),
    # One balance backs all of an account's positions; the row has no margin of its own.
    "hibachi": Facts(
        "Hibachi",
        ("apiKey", "accountId", "privateKey"),
        prices=ONE_BY_ONE,
        default_mode=MarginMode.CROSS,
        fields={
            "contracts": said("quantity"),
            "entry_price": Quotient("entryNotional", "quantity"),
            "mark_price": Quotient("notionalValue", "quantity"),
            "unrealized_pnl": said("unrealizedTradingPnl"),
        },
        tiers=OfListing(OneRate(said("maintenanceFactorForPositions"))),
        quirks=(
            "One balance backs all of an account's positions: they are cross.",
            "Prices are ours: `entryNotional` and `notionalValue` over `quantity`.",
        ),
    ),
    "lighter": Facts(
        "Lighter",
        (),
        needs_wallet=True,
        params={"by": ("index", "l1_address"), "value": (), "account_index": ()},
        fields={
            "contracts": said("position"),
            "entry_price": said("avg_entry_price"),
            "mark_price": Quotient("position_value", "position"),
            "liquidation_price": said("liquidation_price"),
            "leverage": Share(100, "initial_margin_fraction"),
            "collateral": said("allocated_margin"),
            "maintenance_margin": Nowhere(),
            "maintenance_rate": Nowhere(),
            "venue_margin_ratio": Nowhere(),
        },
        tiers=OfListing(
            OneRate(
                Scaled("maintenance_margin_fraction", digits=4),
                leverage=Share(10_000, "min_initial_margin_fraction"),
            )
        ),
        quirks=(
            "A wallet's first account is read; option `account_index` names another.",
            "Leverage is 100 / `initial_margin_fraction`; ccxt cuts it to whole percents.",
            "`liquidation_price` 0 stands for none; rows of closed positions stay in the list.",
        ),
    ),
    "modetrade": replace(_ORDERLY, label="Mode Trade"),
    "nado": Facts(
        "Nado",
        (),
        needs_wallet=True,
        params={"subaccount": ()},
        is_size_signed=True,
        fields={
            "contracts": Scaled("balance.amount"),
            "entry_price": Opposite("balance.v_quote_balance", "balance.amount"),
            "mark_price": Scaled("product.oracle_price_x18"),
            "index_price": Scaled("product.oracle_price_x18"),
            "unrealized_pnl": Nowhere("the row holds profit and funding in one balance"),
        },
        tiers=OfListing(OneRate(Complement("long_weight_maintenance_x18"))),
        quirks=(
            "Entry is the break-even price, with funding and realised profit: the quote balance "
            "over the amount. A quote balance of the amount's own sign makes no price.",
            "The oracle price is what the venue values positions at.",
            "Isolated positions live in subaccounts of their own: option `subaccount` names one.",
        ),
    ),
    "pacifica": Facts("Pacifica", (), needs_wallet=True),
    "paradex": Facts(
        "Paradex",
        ("privateKey", "walletAddress"),
        posts=("/v1/auth", "/v1/auth/{account}"),
        fields={
            "contracts": said("size"),
            "entry_price": said("average_entry_price"),
            "mark_price": Nowhere(),
            "liquidation_price": said("liquidation_price"),
            "collateral": Nowhere(),
        },
        quirks=("The row values a position at cost, holds no mark price and no margin mode.",),
    ),
    "woofipro": replace(_ORDERLY, label="WOOFI PRO"),
}
