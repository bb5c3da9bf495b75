"""Who may import whom; the table of docs/architecture.md, held against the import graph."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.paths import PROJECT

PACKAGES = ("riskhub", "venues", "positions")
# Layers from the ground up. A module belongs to the longest prefix that fits and may import its
# own layer and every layer below it; what is named in EXTRA is allowed besides.
LAYERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("pure", ("positions.engine", "positions.calculator", "positions.risk", "riskhub.formatting")),
    (
        "ground",
        (
            "riskhub.env",
            "riskhub.clock",
            "riskhub.logs",
            "riskhub.live",
            "riskhub.crypto",
            "riskhub.teams",
            "riskhub.killpoints",
            "riskhub.heartbeat",
            "riskhub.models",
            "riskhub.notices",
            "riskhub.middleware",
            "riskhub.checks",
        ),
    ),
    ("venues", ("venues",)),
    (
        "data",
        (
            "positions.models",
            "positions.fields",
            "positions.freshness",
            "positions.versions",
            "positions.valuation",
            "positions.markets",
            "positions.pools",
            "positions.tier_tables",
            "positions.market_selectors",
            "positions.columns",
            "positions.margin_rules",
            "positions.marks",
            "positions.storable",
            "positions.difference",
            "positions.selectors",
            "positions.live_cells",
            "positions.external",
            "positions.exports",
            "positions.apps",
        ),
    ),
    ("alerts", ("positions.alerts",)),
    (
        "writes",
        (
            "positions.ingest",
            "positions.pricing",
            "positions.announced_terms",
            "positions.announcements",
            "positions.market_data",
            "positions.market_rules",
            "positions.market_changes",
            "positions.moving",
            "positions.feeds",
            "positions.group",
            "positions.lives",
            "positions.history",
            "positions.broadcast",
            "positions.pacing",
            "positions.scheduling",
            "positions.staleness",
            "positions.housekeeping",
            "positions.services",
            "positions.overview",
        ),
    ),
    ("edge", ("positions", "venues.management")),
    ("wiring", ("riskhub",)),
)
# Wiring that has to sit below: a command package, and the supervisor's own little world.
EXTRA: dict[str, tuple[str, ...]] = {}


def rank(module: str) -> int:
    """Return the layer of a module: that of the longest prefix which fits."""
    fits = [
        (len(prefix), place)
        for place, (_, prefixes) in enumerate(LAYERS)
        for prefix in prefixes
        if module == prefix or module.startswith(prefix + ".")
    ]
    return max(fits)[1]


def modules() -> Iterator[tuple[str, Path]]:
    for package in PACKAGES:
        for path in sorted((PROJECT / package).rglob("*.py")):
            if "migrations" not in path.parts:
                yield ".".join(path.relative_to(PROJECT).with_suffix("").parts), path


def imports(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def is_ours(name: str) -> bool:
    return name.split(".", maxsplit=1)[0] in PACKAGES


def test_nobody_imports_upward():
    upward = [
        f"{path.relative_to(PROJECT)}:{line} {module} imports {name}"
        for module, path in modules()
        for line, name in imports(path)
        if is_ours(name)
        and rank(name) > rank(module)
        and not name.startswith(EXTRA.get(module, ("-",)))
    ]

    assert upward == []


def test_only_the_client_imports_ccxt():
    importers = {
        module
        for module, path in modules()
        for _, name in imports(path)
        if name.split(".")[0] == "ccxt"
    }

    assert importers <= {"venues.client"}


@pytest.mark.parametrize("package", ["positions/engine", "positions/risk"])
def test_pure_code_knows_numpy_and_the_standard_library_alone(package):
    foreign = {
        name.split(".")[0]
        for path in (PROJECT / package).rglob("*.py")
        for _, name in imports(path)
        if name.split(".")[0] not in sys.stdlib_module_names
    }

    assert foreign <= {"numpy", "scipy", "positions"}


def test_venues_know_of_positions_only_the_pure_parts():
    foreign = {
        f"{module} imports {name}"
        for module, path in modules()
        if module.startswith("venues.")
        for _, name in imports(path)
        if name.startswith("positions.")
        and not name.startswith(("positions.engine", "positions.risk"))
    }

    assert foreign == set()


def test_no_venue_is_named_outside_its_file():
    """A branch on a venue's name belongs into the adapter."""
    branches = [
        f"{path.relative_to(PROJECT)}:{node.lineno}"
        for module, path in modules()
        if not module.startswith("venues.")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Compare)
        and isinstance(node.left, ast.Attribute | ast.Name)
        and (getattr(node.left, "attr", "") or getattr(node.left, "id", "")) == "venue"
        and any(isinstance(each, ast.Constant) for each in node.comparators)
    ]

    assert branches == []


@pytest.mark.parametrize("banned", ["django", "ccxt", "celery"])
def test_engine_loads_without(banned):
    code = f"import sys, positions.engine.solver; sys.exit({banned!r} in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=False).returncode == 0


def test_web_process_loads_without_ccxt():
    code = (
        "import os, sys; os.environ['DJANGO_SETTINGS_MODULE'] = 'riskhub.settings_test';"
        "import riskhub.asgi, riskhub.urls, positions.tasks; sys.exit('ccxt' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=False).returncode == 0


def test_package_files_stay_empty():
    full = [
        str(path.relative_to(PROJECT))
        for package in PACKAGES
        for path in (PROJECT / package).rglob("__init__.py")
        if path.read_text().strip()
    ]

    assert full == []


def test_no_file_tires_the_reader():
    long = [
        f"{path.relative_to(PROJECT)}: {len(path.read_text().splitlines())} lines"
        for _, path in modules()
        if len(path.read_text().splitlines()) > 500
    ]

    assert long == []
