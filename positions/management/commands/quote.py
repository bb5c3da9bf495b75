"""Answer cases of margin arithmetic: a JSON array in, a JSON array out."""

from __future__ import annotations

import json
import os
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from positions.calculator.quoting import quote_or_refuse

STANDARD_INPUT = "-"
# Longer numbers are beyond every figure; Python refuses to read them as whole ones.
_MOST_DIGITS = 400


class Command(BaseCommand):
    """Print every figure of each case; needs nothing that runs, no database either."""

    help = (
        "Read a JSON array of cases {id, venue, kind, side, inputs[, rule, margin_mode]} and print "
        "a JSON array of their figures. Exit code 1: some case makes no sense; 2: no such array."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE|-", help="The cases; - reads standard input.")

    def handle(self, *args: Any, **options: Any) -> None:
        answers = [quote_or_refuse(case) for case in _read_cases(options["file"])]
        try:
            self.stdout.write(_write(answers))
            self.stdout.flush()
        except BrokenPipeError:
            # The reader, such as `head`, has had enough; Python would complain at exit otherwise.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if any("error" in answer for answer in answers):
            sys.exit(1)


def _read_cases(name: str) -> list[Any]:
    try:
        cases = json.loads(_read_text(name), parse_int=_read_whole)
    except OSError as error:
        raise CommandError(f"{name} cannot be read: {error.strerror}.", returncode=2) from None
    except (ValueError, RecursionError):
        raise CommandError(f"{_name(name)} is not JSON.", returncode=2) from None
    if not isinstance(cases, list):
        raise CommandError(f"{_name(name)} is not a JSON array of cases.", returncode=2)
    return cases


def _read_text(name: str) -> str:
    if name == STANDARD_INPUT:
        return sys.stdin.buffer.read().decode()
    return Path(name).read_text(encoding="utf-8")


def _name(name: str) -> str:
    return "The standard input" if name == STANDARD_INPUT else name


def _read_whole(text: str) -> int | float:
    return int(text) if len(text) < _MOST_DIGITS else float(text)


def _write(answers: list[dict[str, Any]]) -> str:
    rows = ",\n".join(json.dumps(answer, allow_nan=False) for answer in answers)
    return f"[\n{rows}\n]" if rows else "[]"
