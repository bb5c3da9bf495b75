"""What is known of centralised venues that the generic adapter reads."""

from __future__ import annotations

from collections.abc import Mapping

from positions.engine.types import MarginMode
from venues.unified import Facts
from venues.unified_tiers import Levels, OfListing, PerMarket
from venues.wire_fields import Difference, Nowhere, Quotient, Said, said

WITH_PASSWORD = ("apiKey", "secret", "password")
MARKS = "fetch_mark_prices"
LINEAR_INVERSE = {"linear": {"subType": "linear"}, "inverse": {"subType": "inverse"}}
SUB_TYPE = {"subType": ("linear", "inverse")}
UNIFIED = {"uta": ("true", "false")}
MARGIN_MODE = {"marginMode": ("isolated", "cross")}
LAST_IS_NO_MARK = Nowhere("the row holds a last price, no mark price")

_KUCOIN = {
    "contracts": said("currentQty"),
    "entry_price": said("avgEntryPrice"),
    "mark_price": said("markPrice"),
    "liquidation_price": said("liquidationPrice"),
    "unrealized_pnl": said("unrealisedPnl"),
    "leverage": said("leverage"),
    "collateral": said("posMargin"),
    "maintenance_margin": said("posMaint"),
    "maintenance_rate": said("maintMarginReq", "maintainMargin"),
    "adl_rank": said("delevPercentage"),
}
_KUCOIN_QUIRKS = (
    "`maintMargin` is the margin with unrealised profit, not a maintenance margin; `posMargin` is "
    "the margin held, with the closing fee's reserve.",
    "`realLeverage` drifts with the price: it is no leverage that anybody chose, and not shown.",
)
_KUCOIN_TIERS = PerMarket(floor="minRiskLimit", rate="maintainMargin", leverage="maxLeverage")


CENTRALISED: Mapping[str, Facts] = {
    "backpack": Facts("Backpack"),
    "bequant": Facts("Bequant", params=MARGIN_MODE),
    "bingx": Facts(
        "BingX",
        prices=MARKS,
        scopes=LINEAR_INVERSE,
        params={**SUB_TYPE, "standard": ("true", "false")},
        fields={
            "contracts": said("positionAmt"),
            "entry_price": said("avgPrice"),
            "collateral": Difference("margin", "unrealizedProfit"),
            "maintenance_margin": Nowhere(),
            "maintenance_rate": Nowhere(),
            "venue_margin_ratio": said("riskRate"),
        },
        tiers=PerMarket(floor="minPositionVal", rate="maintMarginRatio", amount="maintAmount"),
        quirks=(
            "`margin` includes unrealised profit; the collateral is `margin` less "
            "`unrealizedProfit`.",
            "`liquidationPrice` 0 stands for none.",
        ),
    ),
    "bitfinex": Facts("Bitfinex", posts=("/v2/auth/r/positions",)),
    "bitflyer": Facts("bitFlyer", prices=""),
    "blofin": Facts("BloFin", WITH_PASSWORD, rules=("blofin-linear",)),
    "btse": Facts("BTSE"),
    "bullish": Facts("Bullish", prices=""),
    "bydfi": Facts("BYDFi", params={"contractType": (), "settleCoin": ()}),
    "coinbase": Facts("Coinbase Advanced"),
    "coinbaseinternational": Facts("Coinbase International"),
    "cryptocom": Facts(
        "Crypto.com",
        posts=("/exchange/v1/private/get-positions",),
        fields={
            "contracts": said("quantity"),
            "entry_price": Quotient("open_pos_cost", "quantity"),
            "unrealized_pnl": said("open_position_pnl"),
            "collateral": Nowhere(),
        },
        is_size_signed=True,
        quirks=(
            "The row has no price, margin, leverage or margin mode; ccxt's collateral and initial "
            "margin are signed costs and not shown.",
            "Entry is `open_pos_cost` / `quantity`.",
        ),
    ),
    "deepcoin": Facts("DeepCoin", WITH_PASSWORD),
    "delta": Facts(
        "Delta Exchange",
        rules=("delta-linear",),
        mode_fields=("margin_mode", "margin_type"),
        is_size_signed=True,
        fields={
            "contracts": said("size"),
            "entry_price": said("entry_price"),
            "mark_price": said("mark_price"),
            "liquidation_price": said("liquidation_price"),
            "unrealized_pnl": said("unrealized_pnl"),
            "leverage": said("leverage"),
            "collateral": said("margin"),
            "adl_rank": said("adl_level"),
        },
        quirks=("ccxt leaves out margin, mark, profit and leverage: they are read from the row.",),
    ),
    # Positions of one currency share its account; there is no isolated margin.
    "deribit": Facts(
        "Deribit",
        params={"currency": (), "kind": ("future", "future_combo"), "subaccount_id": ()},
        is_size_in_quote=True,
        default_mode=MarginMode.CROSS,
        fields={
            "contracts": said("size"),
            "entry_price": said("average_price"),
            "mark_price": said("mark_price"),
            "index_price": said("index_price"),
            "liquidation_price": said("estimated_liquidation_price"),
            "unrealized_pnl": said("total_profit_loss"),
            "leverage": said("leverage"),
            "maintenance_margin": said("maintenance_margin"),
            "maintenance_rate": Nowhere(),
        },
        quirks=(
            "There is no isolated margin: all positions of a currency share its account.",
            "The size of an inverse contract counts US dollars.",
            "`floating_profit_loss` counts from the last settlement; `total_profit_loss` counts "
            "from entry.",
        ),
    ),
    "digifinex": Facts(
        "DigiFinex",
        scopes={"swap": {"type": "swap"}},
        rules=("digifinex-linear",),
        mode_fields=("margin_mode",),
        fields={
            "contracts": said("position"),
            "entry_price": said("avg_cost"),
            "mark_price": LAST_IS_NO_MARK,
            "liquidation_price": said("liquidation_price"),
            "collateral": said("margin"),
            "maintenance_margin": Nowhere(),
            "maintenance_rate": said("maint_margin_ratio"),
            "venue_margin_ratio": said("margin_ratio"),
        },
        quirks=(
            "ccxt calls the last price a mark price; it is not shown as one.",
            "`margin_ratio` is equity over requirement: smaller is riskier.",
        ),
    ),
    "fmfwio": Facts("FMFW.io", params=MARGIN_MODE),
    "hashkey": Facts(
        "HashKey Global",
        mode_fields=(),
        is_asked_singly=True,
        fields={
            "contracts": said("position"),
            "entry_price": said("avgPrice"),
            "collateral": said("margin"),
            "maintenance_margin": said("minMargin"),
            "maintenance_rate": Nowhere(),
            "venue_margin_ratio": Nowhere(),
        },
        quirks=(
            "Positions are told for one named contract at a time: option `symbols` is needed.",
            "ccxt calls every position cross; the row does not say it.",
            "A liquidation price below 0 stands for none.",
        ),
    ),
    "hitbtc": Facts("HitBTC", params=MARGIN_MODE),
    "htx": Facts(
        "HTX",
        scopes=LINEAR_INVERSE,
        params={**SUB_TYPE, "type": ("swap", "future"), **MARGIN_MODE},
        posts=("/api/v1/contract_position_info", "/swap-api/v1/swap_position_info"),
        mode_fields=("margin_mode",),
        fields={
            "contracts": said("volume"),
            "entry_price": said("open_avg_price", "cost_open"),
            "mark_price": said("mark_price"),
            "liquidation_price": said("liquidation_price"),
            "unrealized_pnl": said("profit_unreal"),
            "leverage": said("lever_rate"),
            "collateral": said("margin"),
            "maintenance_margin": said("maintenance_margin"),
            "maintenance_rate": Nowhere(),
            "venue_margin_ratio": said("margin_rate"),
            "adl_rank": said("adl_risk_percent"),
        },
        quirks=(
            "`margin` is value / leverage and follows the mark price.",
            "A cross position's liquidation price may be below 0: that stands for none.",
            "Inverse rows hold no mark, no liquidation price and no margin mode; ccxt calls them "
            "cross.",
        ),
    ),
    "kraken": Facts("Kraken", posts=("/0/private/OpenPositions",)),
    "krakenfutures": Facts(
        "Kraken Futures",
        fields={"contracts": said("size"), "entry_price": said("price")},
        tiers=OfListing(
            Levels(
                "marginLevels",
                floor="numNonContractUnits",
                rate="maintenanceMargin",
                initial_rate="initialMargin",
            )
        ),
        quirks=(
            "The row holds side, symbol, entry and size, and little else.",
            "A position is isolated where the row has `maxFixedLeverage`.",
            "Some ids come in small letters (`pf_xbtusd`).",
            "Margin levels that are counted in contracts (inverse) are not read.",
        ),
    ),
    "kucoin": Facts(
        "KuCoin",
        WITH_PASSWORD,
        prices=MARKS,
        params=UNIFIED,
        fields=_KUCOIN,
        tiers=_KUCOIN_TIERS,
        quirks=_KUCOIN_QUIRKS,
    ),
    "kucoinfutures": Facts(
        "KuCoin Futures",
        WITH_PASSWORD,
        prices=MARKS,
        params=UNIFIED,
        fields=_KUCOIN,
        tiers=_KUCOIN_TIERS,
        quirks=_KUCOIN_QUIRKS,
    ),
    "mexc": Facts(
        "MEXC Global",
        fields={
            "contracts": said("holdVol"),
            "entry_price": said("holdAvgPrice"),
            "liquidation_price": said("liquidatePrice"),
            "leverage": said("leverage"),
            "collateral": said("im"),
            "maintenance_margin": Nowhere(),
            "maintenance_rate": Nowhere(),
            "venue_margin_ratio": said("marginRatio"),
        },
        quirks=("The row holds no mark price and no profit.",),
    ),
    "mudrex": Facts("Mudrex", ("secret",), params={"trade_currency": ()}),
    # The other settle coins are asked for one by one, by options "settle" and "currency".
    "phemex": Facts(
        "Phemex",
        scopes={"linear:USDT": {"settle": "USDT"}},
        params={"settle": (), "currency": (), "code": (), **SUB_TYPE},
        fields={
            "contracts": said("sizeRq", "size"),
            "entry_price": said("avgEntryPriceRp", "avgEntryPrice"),
            "mark_price": said("markPriceRp", "markPrice"),
            "liquidation_price": said("liquidationPriceRp", "liquidationPrice"),
            "unrealized_pnl": said("unRealisedPnlRv"),
            "leverage": Said(("leverageRr", "leverage"), is_unsigned=True),
            "collateral": said("positionMarginRv", "positionMargin"),
            "maintenance_margin": Nowhere(),
            "maintenance_rate": said("maintMarginReqRr", "maintMarginReq"),
            "venue_margin_ratio": Nowhere(),
            "adl_rank": said("deleveragePercentileRr", "deleveragePercentile"),
        },
        quirks=(
            "A leverage below 0 marks cross margin; its size is the leverage.",
            "Flat rows stay in the list, with a side.",
            "`positionMargin` is what was assigned less the reserve for the fee of a liquidation.",
        ),
    ),
    "poloniex": Facts("Poloniex"),
    "toobit": Facts("Toobit", rules=("toobit-linear",)),
    "weex": Facts("Weex", WITH_PASSWORD, prices=MARKS),
    "whitebit": Facts(
        "WhiteBit",
        posts=("/api/v4/collateral-account/positions/open",),
        is_size_signed=True,
        side_field="positionSide",
        fields={
            "contracts": said("amount"),
            "entry_price": said("basePrice"),
            "liquidation_price": said("liquidationPrice"),
            "unrealized_pnl": said("pnl"),
            "collateral": said("margin"),
        },
        quirks=(
            "ccxt reads neither side nor size: they are the sign and value of `amount`.",
            "Positions on spot markets are shown too, as contracts that are not listed.",
            "The row does not say whether the margin is isolated.",
        ),
    ),
    "woo": Facts("WOO X"),
    "xt": Facts("XT", scopes=LINEAR_INVERSE, params=SUB_TYPE),
    "zebpay": Facts("Zebpay", posts=("/api/v1/market/klines",)),
}
