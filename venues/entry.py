"""Read what a person wrote into files: credentials, options, and lists of accounts."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from venues.errors import BadAccount

_LARGEST = 10 * 1024 * 1024
_COLUMNS = ("venue", "label", "wallet", "base_url")
_OPTION = "option."


@dataclass(frozen=True, slots=True)
class Entry:
    """One account as written in a file; `number` is its row, the first below the header is 1."""

    number: int
    venue: str = ""
    label: str = ""
    wallet: str = field(repr=False, default="")
    base_url: str = ""
    credentials: Mapping[str, str] = field(repr=False, default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


def read_text(path: str) -> str:
    """Return the text of a file, or of standard input for "-"; raises BadAccount."""
    try:
        raw = sys.stdin.buffer.read(_LARGEST) if path == "-" else _read(Path(path))
        return raw.decode("utf-8-sig")
    except OSError as error:
        raise BadAccount(f"{path} cannot be read: {error.strerror or 'no such file'}.") from None
    except UnicodeDecodeError:
        raise BadAccount(f"{path} is not a text file in UTF-8.") from None


def read_credentials(text: str) -> dict[str, str]:
    """Return fields of a JSON object or of KEY=VALUE lines; raises BadAccount.

    No sentence repeats any of the text: it is secret.
    """
    if text.lstrip().startswith("{"):
        return _json_fields(text)
    lines = (line.strip() for line in text.splitlines())
    pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
    if not pairs:
        raise BadAccount("The credentials are empty; write KEY=VALUE lines or a JSON object.")
    if not all(separator for _, separator, _ in pairs):
        raise BadAccount("The credentials should be KEY=VALUE lines or a JSON object.")
    return {
        name.removeprefix("export ").strip(): value.strip().strip("\"'") for name, _, value in pairs
    }


def read_options(pairs: Sequence[str]) -> dict[str, Any]:
    """Return options of K=V words; a value that is JSON is read as such. Raises BadAccount."""
    options = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator or not name.strip():
            raise BadAccount("An option is written NAME=VALUE.")
        options[name.strip()] = _value(value.strip())
    return options


def read_entries(text: str) -> Iterator[Entry]:
    """Yield the accounts of a JSON list or a CSV with a header; raises BadAccount.

    JSON: objects with venue, label, wallet, base_url, credentials (object), options (object).
    CSV: columns venue, label, wallet, base_url, `option.NAME`; every other column is a field of
    the credentials, such as apiKey.
    """
    if text.lstrip().startswith(("[", "{")):
        yield from _json_entries(text)
    else:
        yield from _csv_entries(text)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_LARGEST)


def _json_fields(text: str) -> dict[str, str]:
    fields = _parsed(text, "The credentials")
    if not isinstance(fields, dict) or not fields:
        raise BadAccount("The credentials should be a JSON object with texts.")
    return {str(name): str(value) for name, value in fields.items() if value is not None}


def _parsed(text: str, what: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise BadAccount(f"{what} should be JSON, but it is not complete.") from None


def _value(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=str)
    except (ValueError, RecursionError):
        return text


def _json_entries(text: str) -> Iterator[Entry]:
    rows = _parsed(text, "The file")
    if not isinstance(rows, list):
        raise BadAccount("The file should be a JSON list of accounts.")
    for number, row in enumerate(rows, start=1):
        yield _json_entry(number, row)


def _json_entry(number: int, row: Any) -> Entry:
    row = row if isinstance(row, dict) else {}
    credentials, options = row.get("credentials") or {}, row.get("options") or {}
    if not isinstance(credentials, dict) or not isinstance(options, dict):
        raise BadAccount(f"Row {number}: credentials and options are JSON objects.")
    return _entry(number, row, credentials=credentials, options=options)


def _entry(
    number: int, row: Mapping[str, Any], *, credentials: dict[str, str], options: dict[str, Any]
) -> Entry:
    return Entry(
        number=number,
        venue=str(row.get("venue") or ""),
        label=str(row.get("label") or ""),
        wallet=str(row.get("wallet") or ""),
        base_url=str(row.get("base_url") or ""),
        credentials=credentials,
        options=options,
    )


def _csv_entries(text: str) -> Iterator[Entry]:
    table = csv.DictReader(io.StringIO(text), restkey="", restval="")
    header = [name.strip() for name in table.fieldnames or []]
    if "venue" not in header or "label" not in header:
        raise BadAccount("The first line should name the columns: venue, label, …")
    table.fieldnames = header
    try:
        for number, row in enumerate(table, start=1):
            yield _csv_entry(number, row)
    except csv.Error:
        raise BadAccount("The file is no CSV that can be read.") from None


def _csv_entry(number: int, row: Mapping[str, Any]) -> Entry:
    cells = {name: value.strip() for name, value in row.items() if name and value.strip()}
    options = [
        f"{name.removeprefix(_OPTION)}={value}"
        for name, value in cells.items()
        if name.startswith(_OPTION)
    ]
    secret = {
        name: value
        for name, value in cells.items()
        if name not in _COLUMNS and not name.startswith(_OPTION)
    }
    return _entry(number, cells, credentials=secret, options=read_options(options))
