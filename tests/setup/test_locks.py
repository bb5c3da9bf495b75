"""The lock files name every library exactly, with hashes, and nothing of a machine."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("requirements.lock", "requirements-test.lock", "requirements-e2e.lock")
PIN = re.compile(r"^([a-z0-9-]+)(?:\[[a-z,]+\])?==([^\s;\\]+)", re.MULTILINE | re.IGNORECASE)


def pins(name: str) -> set[tuple[str, str]]:
    return {(n.lower(), v) for n, v in PIN.findall((ROOT / name).read_text())}


@pytest.mark.parametrize("name", [*LOCKS, "riskhub/boot/uv.lock"])
def test_a_lock_names_no_host_and_no_path(name: str) -> None:
    text = (ROOT / name).read_text()

    assert "://" not in text
    assert not re.search(r"^\s*(-i|--index|--extra-index|--find-links)", text, re.MULTILINE)
    assert not re.search(r"(^|\s)/(home|root|work|tmp|opt)/", text)


@pytest.mark.parametrize("name", [*LOCKS, "riskhub/boot/uv.lock"])
def test_every_library_in_a_lock_has_a_hash(name: str) -> None:
    blocks = re.split(r"\n(?=[a-z0-9])", (ROOT / name).read_text().strip(), flags=re.IGNORECASE)
    pinned = [block for block in blocks if PIN.match(block)]

    assert pinned
    assert all("--hash=sha256:" in block for block in pinned)


@pytest.mark.parametrize(
    ("direct", "lock"),
    [
        ("requirements.txt", "requirements.lock"),
        ("requirements-test.txt", "requirements-test.lock"),
        ("requirements-e2e.txt", "requirements-e2e.lock"),
    ],
)
def test_the_lock_holds_every_direct_dependency(direct: str, lock: str) -> None:
    assert pins(direct) <= pins(lock), "run: make lock"


@pytest.mark.parametrize("pair", [LOCKS[0:2], LOCKS[1:3]])
def test_a_larger_lock_holds_the_smaller_one_unchanged(pair: tuple[str, str]) -> None:
    assert pins(pair[0]) <= pins(pair[1]), "run: make lock"


def test_the_reason_for_every_direct_dependency_is_written_down() -> None:
    reasons = (ROOT / "docs/dependencies.md").read_text()
    direct = pins("requirements.txt") | pins("requirements-test.txt") | pins("requirements-e2e.txt")

    missing = sorted(name for name, _ in direct if f"`{name}`" not in reasons)
    assert missing == []
