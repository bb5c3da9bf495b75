"""Say what was seen and what was not, without a running system."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from positions.api.coverage import report
from positions.coverage import SightState
from riskhub import clock, formatting
from riskhub.teams.models import Team
from venues.models import FeedKind

_BLIND = {SightState.STALE, SightState.NEVER}


class Command(BaseCommand):
    """Print a line for each part of each account, or all of it as JSON."""

    help = "Print what was last seen of each part of each account. Exit code 1 when any is blind."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Name the arguments."""
        parser.add_argument("--json", action="store_true", help="the document of REST, by team")
        parser.add_argument("--team", default="", help="name of one team; all without it")

    def handle(self, **options: Any) -> None:
        """Print, and end with exit code 1 when anything is not seen."""
        now = clock.now()
        reports = {team.name: report(team=team, now=now) for team in self._teams(options["team"])}
        if options["json"]:
            self.stdout.write(json.dumps(reports, indent=2))
        else:
            self._print(reports, now)
        blind = sum(_blind_count(each) for each in reports.values())
        if blind:
            noun = "part or price feed is" if blind == 1 else "parts and price feeds are"
            raise CommandError(f"{blind} {noun} not seen.")

    def _teams(self, name: str) -> list[Team]:
        teams = list(Team.objects.order_by("name"))
        chosen = [team for team in teams if not name or team.name == name]
        if not chosen:
            known = ", ".join(team.name for team in teams) or "none"
            raise CommandError(f"There is no team {name!r}. Known: {known}.")
        return chosen

    def _print(self, reports: Mapping[str, Mapping[str, Any]], now: datetime) -> None:
        for team, told in reports.items():
            if len(reports) > 1:
                self.stdout.write(f"Team {team}")
            for part in told["parts"]:
                self.stdout.write(_part_line(part))
            for row in told["gone"]:
                name = f"{row['venue']}/{row['account']}"
                self.stdout.write(f"{name}  gone: {row['symbol']} {row['side']}, unexplained")
            for feed in told["feeds"]:
                self.stdout.write(_feed_line(feed))
            for ban in told["bans"]:
                self.stdout.write(f"{_place(ban)}  banned until {ban['until']}")


def _blind_count(told: Mapping[str, Any]) -> int:
    parts = [part for part in told["parts"] if part["is_blind"]]
    prices = [feed for feed in told["feeds"] if feed["kind"] == FeedKind.PRICES]
    return len(parts) + len([feed for feed in prices if feed["state"] in _BLIND])


def _part_line(part: Mapping[str, Any]) -> str:
    why = part["blocked_reason"] or part["error"]
    rows = f"{formatting.count(part['rows'])} {'row' if part['rows'] == 1 else 'rows'}"
    refused = f", {part['refused']} refused" if part["refused"] else ""
    text = f"{part['state']}, {_age(part['age_s'])} old, {part['answer']}: {rows}{refused}"
    name = f"{part['venue']}/{part['account']}  {part['scope']}"
    return f"{name}: {text}{f'. {why}' if why else ''}"


def _feed_line(feed: Mapping[str, Any]) -> str:
    why = f". {feed['error']}" if feed["error"] else ""
    return f"{_place(feed)}  {feed['kind']}: {feed['state']}, {_age(feed['age_s'])} old{why}"


def _place(told: Mapping[str, Any]) -> str:
    """Name the venue, and where it is read when that is another place than its own."""
    return f"{told['venue']} at {told['base_url']}" if told["base_url"] else str(told["venue"])


def _age(text: str | None) -> str:
    return formatting.age(float(text)) if text else formatting.DASH
