"""docs/venues and the README's table of venues, written from the adapters themselves.

`python -m tests.venues.venue_docs` writes them anew. What is said of figures comes from running
each adapter on the answers composed for it in tests/data/venues/<slug>/.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from positions.engine.types import ContractKind, MarginMode, Source
from tests.paths import PROJECT
from tests.venues import corpus
from tests.venues.reading_checks import FIGURES, read_account
from tests.venues.replay import Replay, new_replay, serving
from venues import registry
from venues.base import REGISTRY, AccountRequest, ScopeReading, VenueAdapter
from venues.figures import Figure

FOLDER = PROJECT / "docs" / "venues"
README = PROJECT / "README.md"
BEGIN, END = "<!-- venues -->\n", "<!-- end of venues -->\n"
# The local venue has a page of its own, about more than its adapter.
BY_HAND = "reference"
GENERATED = "Written by `python -m tests.venues.venue_docs` from the adapter; change that.\n"

# What an adapter may read beside positions and prices: method -> what a person calls it.
BESIDE = {
    "read_ends": "how a position that is missing ended",
    "read_key": "what the key may do",
    "read_listing": "delistings and funding intervals",
    "read_tiers": "maintenance tables",
    "read_funding": "funding",
}
NAMES = {
    "venue_margin_ratio": "the venue's own margin ratio",
    "adl_rank": "rank in the queue of auto-deleveraging",
}


@dataclass
class Seen:
    """Every figure that an adapter read: by margin mode and name, and of pools of cross margin."""

    figures: dict[MarginMode | None, dict[str, list[Figure]]] = field(default_factory=dict)
    pools: dict[MarginMode, list[Figure]] = field(default_factory=dict)


def render_all() -> dict[str, str]:
    """Return the text of every generated page by file name."""
    with serving() as server:
        replay = new_replay(server)
        pages = {f"{slug}.md": render_page(slug, replay) for slug in own_slugs()}
    return {**pages, "generic.md": render_generic(), "README.md": render_index()}


def own_slugs() -> list[str]:
    """Return the venues whose file is named after them."""
    return sorted(
        slug
        for slug, adapter in REGISTRY.items()
        if adapter.__module__.rpartition(".")[2] == slug and slug != BY_HAND
    )


def generic_slugs() -> list[str]:
    """Return the venues of the generic adapter."""
    return sorted(slug for slug, each in REGISTRY.items() if each.__module__.endswith("generic"))


def siblings(slug: str) -> list[str]:
    """Return the other venues that are read by a venue's file."""
    module = REGISTRY[slug].__module__
    return sorted(each for each, kind in REGISTRY.items() if kind.__module__ == module != slug)


def render_page(slug: str, replay: Replay) -> str:
    """Return the page of one venue."""
    adapter = registry.get(slug)
    parts = [
        f"# {adapter.label}\n",
        GENERATED,
        *_facts(adapter),
        "## Figures of a position\n",
        "As the adapter reads the answers composed in "
        f"`tests/data/venues/{slug}/`, in the shapes that the venue documents.\n",
        render_figures(look(slug, replay)),
        *_lists(adapter),
    ]
    return "\n".join(parts)


def _facts(adapter: VenueAdapter) -> Iterator[str]:
    others = [REGISTRY[slug].label for slug in siblings(adapter.slug) if slug != adapter.slug]
    if others:
        yield f"Read the same way: {', '.join(others)}.\n"
    yield f"- **Credentials:** {_credentials(type(adapter))}."
    yield f"- **Permission:** {adapter.permission}"
    yield f"- **Scopes:** {', '.join(f'`{scope}`' for scope in _scopes(adapter))}."
    yield f"- **Margin rules:** {_rules(type(adapter))}."
    yield f"- **Limit kept:** {_rate(type(adapter))}.\n"
    if adapter.account_options:
        yield "Options of an account:\n"
        yield "\n".join(f"- {option.words}" for option in adapter.account_options) + "\n"


def _lists(adapter: VenueAdapter) -> Iterator[str]:
    if adapter.quirks:
        yield "## What surprises here\n"
        yield "\n".join(f"- {quirk}" for quirk in adapter.quirks) + "\n"
    yield "## Requests\n"
    yield "Nothing else leaves, whatever ccxt tries; without a key, any GET for markets and time.\n"
    yield "\n".join(f"- `{read}`" for read in adapter.reads) + "\n"
    if adapter.rate.weights:
        yield f"What they weigh, 1 unless it is named: {_weights(adapter)}.\n"
    told = [words for name, words in BESIDE.items() if _overrides(type(adapter), name)]
    untold = [words for name, words in BESIDE.items() if not _overrides(type(adapter), name)]
    yield f"Read beside positions and prices: {_listed(told)}.\n"
    yield f"Not read: {_listed(untold)}.\n"


def _listed(words: list[str]) -> str:
    return "; ".join([*words]) if words else "nothing"


def _overrides(kind: type[VenueAdapter], name: str) -> bool:
    return getattr(kind, name) is not getattr(VenueAdapter, name)


def _credentials(kind: type[VenueAdapter]) -> str:
    names = [f"`{name}`" for name in kind.credentials]
    if kind.needs_wallet:
        names.append("the wallet's address")
    return ", ".join(names)


def _scopes(adapter: VenueAdapter) -> tuple[str, ...]:
    request = AccountRequest(account_id=1, venue=adapter.slug, environment="", label="main")
    return tuple(adapter.scopes(request))


def _rules(kind: type[VenueAdapter]) -> str:
    if not kind.margin_rules:
        return "none known; the venue's liquidation price is the only one"
    told = [f"{_kind(each)} `{rule}`" for each, rule in sorted(kind.margin_rules.items())]
    return f"{', '.join(told)} ([formulas](../formulas.md))"


def _kind(kind: ContractKind) -> str:
    return str(kind.value)


def _rate(kind: type[VenueAdapter]) -> str:
    rate = kind.rate
    source = f" ({rate.source.rstrip('.')})" if rate.source else ""
    what = f"a weight of {rate.requests}" if rate.weights else f"{rate.requests} requests"
    return f"{what} in {rate.window_s:g} s from one address{source}"


def _weights(adapter: VenueAdapter) -> str:
    weights = adapter.rate.weights
    heaviest_first = sorted(weights, key=lambda name: -weights[name])
    return ", ".join(f"`{name}` {weights[name]}" for name in heaviest_first)


def look(slug: str, replay: Replay) -> Seen:
    """Return what an adapter reads of its composed answers; a scope that fails is an error."""
    seen = Seen()
    for name in corpus.scenarios(corpus.OWN, slug, "positions"):
        told = json.loads((corpus.OWN / slug / f"{name}.json").read_text())["expected"]
        options = {"scopes": list(told["scopes"]), **told.get("options", {})}
        found = read_account(slug, replay.url(slug, name), options)
        for reading in found.values():
            if not isinstance(reading, ScopeReading):
                raise reading
            _note(seen, reading)
    return seen


def _note(seen: Seen, reading: ScopeReading) -> None:
    for position in reading.positions:
        figures = seen.figures.setdefault(position.margin_mode, {})
        for name in FIGURES:
            figures.setdefault(name, []).append(getattr(position, name))
    for standing in reading.standings:
        seen.pools.setdefault(standing.margin_mode, []).append(standing.ratio)


def render_figures(seen: Seen) -> str:
    """Return the table of figures: a row a figure, a column a margin mode."""
    modes = [mode for mode in (MarginMode.ISOLATED, MarginMode.CROSS, MarginMode.PORTFOLIO, None)
             if mode in seen.figures]  # fmt: skip
    heads = [mode.value if mode else "mode unknown" for mode in modes]
    lines = [f"| figure | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for name in FIGURES:
        cells = [_cell(seen.figures[mode][name]) for mode in modes]
        lines.append(f"| {NAMES.get(name, name.replace('_', ' '))} | {' | '.join(cells)} |")
    if seen.pools:
        ratios = [_cell(seen.pools[mode]) if mode in seen.pools else "—" for mode in modes]  # type: ignore[index]
        lines.append(f"| ratio of the pool behind it | {' | '.join(ratios)} |")
    return "\n".join(lines) + "\n"


def _cell(figures: list[Figure]) -> str:
    sources = [source.value for source in (Source.REPORTED, Source.DERIVED)
               if any(figure.source is source for figure in figures)]  # fmt: skip
    reasons = sorted({figure.reason for figure in figures if figure.source is Source.UNKNOWN})
    told = " or ".join(sources)
    unknown = "unknown: " + "; ".join(reasons) if reasons else ""
    return "; ".join(part for part in (told, unknown) if part).replace("|", "/")


def render_generic() -> str:
    """Return the page of all venues of the generic adapter."""
    parts = [
        "# Every other venue of ccxt\n",
        GENERATED,
        GENERIC_WORDS,
        "| venue | credentials | scopes | margin rules | tables | limit kept |",
        "|---|---|---|---|---|---|",
        *(_generic_row(slug) for slug in generic_slugs()),
        "",
        *(part for slug in generic_slugs() for part in _generic_section(slug)),
    ]
    return "\n".join(parts).rstrip() + "\n"


GENERIC_WORDS = """\
**What is believed.** ccxt fills gaps with formulas of its own. Where the fields of a venue's own
row are known (below), a figure is read from them. Elsewhere it counts as reported only if that
row holds the same number, for margins, prices and rates in a field of fitting name, and then with
the venue's exact text. Everything else that ccxt made up is unknown: "ccxt worked it out; the
venue did not say it". Notional is ours: contracts x contract size x mark.

- `0`, negative prices, `999999`, `1000000`, `99999999` and anything from 1e15 on stand for "no
  liquidation price".
- A row whose size has no side, or whose sign contradicts its side, is refused; so is a row with a
  number that is none, and one whose own value shows that a contract is of another size than ccxt
  thinks.
- Where a venue does not tell its hedge mode, a position is known by its side.
- Margin modes that ccxt writes fixed are read from the row, or unknown.

**What is asked.** Any GET request, and the POST requests named below. Nothing else leaves,
whatever ccxt tries.

**Options.** `symbols=BTC/USDT:USDT,...` asks for named contracts. The other options of a venue go
to `fetch_positions`; one that a scope sets replaces the scopes. An option that is not there is
refused when the account is added.

**Not here.** Polymarket: reading makes new credentials there, and reading never writes.
`binanceusdm` and `binancecoinm`: they are scopes of [Binance](binance.md).
"""


def _generic_row(slug: str) -> str:
    adapter, facts = registry.get(slug), _facts_of(slug)
    rules = ", ".join(f"`{rule}`" for rule in adapter.margin_rules.values()) or "—"
    cells = (
        adapter.label,
        _credentials(type(adapter)),
        ", ".join(f"`{scope}`" for scope in _scopes(adapter)),
        rules,
        "read" if facts.tiers else "—",
        f"{adapter.rate.requests} in {adapter.rate.window_s:g} s",
    )
    return f"| {' | '.join(cells)} |"


def _generic_section(slug: str) -> Iterator[str]:
    adapter, facts = registry.get(slug), _facts_of(slug)
    posts = [read for read in adapter.reads if read.startswith("POST")]
    if not (facts.fields or adapter.quirks or posts):
        return
    yield f"## {adapter.label}\n"
    told = [f"- {NAMES.get(name, name.replace('_', ' '))}: {reader.words}"
            for name, reader in facts.fields.items()]  # fmt: skip
    if told:
        yield "\n".join(told) + "\n"
    if adapter.quirks:
        yield "\n".join(f"- {quirk}" for quirk in adapter.quirks) + "\n"
    if posts:
        yield f"Asked beside GET: {', '.join(f'`{post}`' for post in posts)}.\n"


def _facts_of(slug: str) -> Any:
    return vars(REGISTRY[slug])["facts"]


def render_index() -> str:
    """Return the index of the folder."""
    lines = ["# Venues\n", GENERATED]
    lines += [f"- [{REGISTRY[slug].label}]({slug}.md)" for slug in own_slugs()]
    lines += [
        f"- [Every other venue of ccxt](generic.md): {len(generic_slugs())} of them",
        "- [The reference venue](reference.md), local and simulated",
    ]
    return "\n".join(lines) + "\n"


def render_table() -> str:
    """Return the README's table of all venues."""
    rows = ["| venue | read how | needs |", "|---|---|---|"]
    rows += [_table_row(slug) for slug in own_slugs()]
    names = ", ".join(REGISTRY[slug].label for slug in generic_slugs())
    rows += [
        f"| {len(generic_slugs())} more through ccxt: {names} "
        "| [generic](docs/venues/generic.md): only what the venue itself said "
        "| what the venue needs |",
        "| Reference | a [local, simulated venue](docs/venues/reference.md) with several venues' "
        "margin rules | nothing |",
    ]
    return "\n".join(rows) + "\n"


def _table_row(slug: str) -> str:
    adapter = registry.get(slug)
    others = [REGISTRY[each].label for each in siblings(slug) if each != slug]
    label = ", ".join([adapter.label, *others])
    return f"| {label} | [its own wire rows](docs/venues/{slug}.md) | {_needs(type(adapter))} |"


def _needs(kind: type[VenueAdapter]) -> str:
    needs: Mapping[tuple[str, ...], str] = {
        (): "wallet address",
        ("apiKey", "secret"): "read-only key",
        ("apiKey", "secret", "password"): "read-only key and passphrase",
    }
    return needs.get(kind.credentials, "wallet address and the key of an API wallet")


def write() -> None:
    """Write every page and the README's table."""
    for name, text in render_all().items():
        (FOLDER / name).write_text(text)
    before, _, rest = README.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    README.write_text(before + BEGIN + render_table() + END + after)
