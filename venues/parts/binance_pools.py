"""What backs cross and portfolio positions at Binance, and at Aster, whose API is a fork of it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from positions.engine.types import MarginMode
from venues.base import PositionReading, Standing, VenueClient
from venues.errors import VenueError
from venues.figures import Figure, Row, RowError
from venues.parts.binance_rows import SETTINGS_AGE_S, Product
from venues.rows import BANKRUPT, read_each, take_rows

NOT_READ = "the balance of the account could not be read"
OTHER_BOOK = "the answer about the account does not hold the positions that are open"
# A portfolio is liquidated at a uniMMR (equity / maintenance) of 105 %.
# Source: Binance FAQ 5e33af8e6ac04d57a1d0a3398e0a0752.
PORTFOLIO_BUFFER = Figure.derived(Decimal("1.05"))

_POOLED = (MarginMode.CROSS, MarginMode.PORTFOLIO)
_NOTHING = Figure.derived(0)


async def read_standings(
    *, client: VenueClient, product: Product, positions: Sequence[PositionReading]
) -> tuple[Standing, ...]:
    """Return the standing of each pool that backs some of `positions`; none for isolated ones.

    One request more, and the switch of multi-assets mode where it was not asked lately. A failure
    makes the ratios unknown and hides no position.
    """
    pooled = [each for each in positions if each.margin_mode in _POOLED]
    coins = sorted({each.market.settle for each in pooled} - {""})
    if not pooled:
        return ()
    try:
        if product.pool is MarginMode.PORTFOLIO:
            return (read_portfolio(Row(await client.call(product.account))),)
        is_multi = await read_multi_assets(client=client, product=product)
        account = Row(await client.call(product.account))
        if is_multi:
            return (read_total(account),)
        return tuple(read_coins(account, client=client, product=product, coins=coins))
    except (VenueError, RowError):
        mode = product.pool or MarginMode.CROSS
        return (Standing(margin_mode=mode, ratio=Figure.unknown(NOT_READ)),)


async def read_multi_assets(*, client: VenueClient, product: Product) -> bool:
    """Tell whether one pool of all coins backs the positions. Raises VenueError or RowError."""
    if not product.multi_assets:
        return False

    async def ask() -> bool:
        switch = Row(await client.call(product.multi_assets)).flag("multiAssetsMargin")
        if switch is None:
            raise RowError("multiAssetsMargin is missing")
        return switch

    return await client.recall(product.multi_assets, about=(), max_age_s=SETTINGS_AGE_S, ask=ask)


def read_coins(
    account: Row, *, client: VenueClient, product: Product, coins: Sequence[str]
) -> list[Standing]:
    """Return the standing of each coin's own pool; raises VenueError or RowError.

    Equity is the cross wallet and the profit of cross positions; isolated wallets are not in it.
    What is required is the sum over the cross positions of the same answer, because the coin's own
    total counts isolated positions too.
    """
    assets = dict(read_each(take_rows(account.fields, "assets"), _named))
    required: dict[str, Figure] = {}
    for row in (Row(each) for each in take_rows(account.fields, "positions")):
        margin = row.number("maintMargin")
        if margin.value and _is_cross(row):
            coin = client.market(row.text("symbol"), kind=product.kind).settle
            required[coin] = required.get(coin, _NOTHING).plus(margin)
    return [
        _standing(
            settle=coin,
            equity=_cross_equity(assets.get(coin)),
            required=required.get(coin, Figure.unknown(OTHER_BOOK)),
        )
        for coin in coins
    ]


def read_total(account: Row) -> Standing:
    """Return the standing of the one pool of multi-assets mode, in USD; raises RowError.

    There are no isolated positions in that mode, so that the totals are the pool's.
    """
    return _standing(
        equity=account.number("totalMarginBalance"), required=account.number("totalMaintMargin")
    )


def read_portfolio(account: Row) -> Standing:
    """Return the standing of a portfolio margin account, in USD; raises RowError."""
    return _standing(
        margin_mode=MarginMode.PORTFOLIO,
        equity=account.number("accountEquity"),
        required=account.number("accountMaintMargin").times(PORTFOLIO_BUFFER),
    )


def _standing(
    *,
    equity: Figure,
    required: Figure,
    margin_mode: MarginMode = MarginMode.CROSS,
    settle: str = "",
) -> Standing:
    ratio = required.over(equity)
    if required.value == 0:
        # Positions are open, so something is required; a zero is an account that was not told.
        ratio = required = Figure.unknown(OTHER_BOOK)
    elif not required.is_known:
        ratio = required
    elif equity.value is not None and equity.value <= 0:
        ratio = Figure.unknown(BANKRUPT)
    return Standing(
        margin_mode=margin_mode, ratio=ratio, settle=settle, equity=equity, required=required
    )


def _cross_equity(asset: Row | None) -> Figure:
    if asset is None:
        return Figure.unknown(OTHER_BOOK)
    return asset.number("crossWalletBalance").plus(asset.number("crossUnPnl"))


def _is_cross(row: Row) -> bool:
    is_isolated = row.flag("isolated")
    if is_isolated is not None:
        return not is_isolated
    return not any(row.number(name).value for name in ("isolatedWallet", "isolatedMargin"))


def _named(row: Row) -> tuple[str, Row]:
    return row.text("asset"), row
