"""`manage.py announce_change`."""

from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command

from riskhub.teams.models import AuditEntry
from tests.factories import make_account, make_announced, make_market, make_position
from venues.models import AnnouncedChange

pytestmark = pytest.mark.django_db

BTC = ("--venue", "binance", "--symbol", "BTC/USDT:USDT")
AT = ("--at", "2026-12-01T08:00Z")


def run(*arguments):
    out = io.StringIO()
    call_command("announce_change", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def tiers(tmp_path):
    path = tmp_path / "tiers.txt"
    path.write_text("0 2%\n100000 4%\n")
    return str(path)


def test_a_change_is_entered_for_all_teams_and_says_whom_it_moves(tiers):
    for label in ("one", "two"):
        make_position(make_account(label=label))

    told = run(*BTC, *AT, "--tiers", tiers, "--note", "mail of 20 Nov")

    row = AnnouncedChange.objects.get()
    assert "one  BTC/USDT:USDT long  liquidation" in told
    assert "two  BTC/USDT:USDT long  liquidation" in told
    assert f"Announced as {row.pk}; in force 2026-12-01 08:00:00 UTC." in told
    assert row.change["tiers"][1][:2] == [100000.0, 0.04]
    assert (row.entered_by, row.note) == ("command", "mail of 20 Nov")
    assert AuditEntry.objects.filter(action="market.announced", actor="command").count() == 2


def test_a_dry_run_enters_nothing(tiers):
    make_position()

    told = run(*BTC, *AT, "--tiers", tiers, "--dry-run")

    assert "liquidation" in told
    assert not AnnouncedChange.objects.exists()


def test_limits_and_a_delisting_are_entered_together():
    make_market()

    told = run(*BTC, *AT, "--max-leverage", "20", "--delists-at", "2026-12-09T00:00Z")

    kinds = set(AnnouncedChange.objects.values_list("kind", flat=True))
    assert "No open position is in this market." in told
    assert kinds == {"limits", "delisting"}


def test_what_waits_is_listed_and_cancelled_by_its_number():
    row = make_announced()

    listed = run("--list")
    run("--cancel", str(row.pk))

    assert listed.startswith(f"{row.pk}  ")
    assert "binance BTC/USDT:USDT  maintenance table" in listed
    assert run("--list") == ""


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "No market"),
        ((*BTC,), "Say when it comes into force"),
        ((*BTC, "--at", "soon"), "--at: give an instant"),
        ((*BTC, *AT), "Nothing changes"),
        ((*BTC, *AT, "--max-leverage", "-1"), "a number above 0"),
        ((*BTC, *AT, "--tiers", "/nowhere"), "cannot be read"),
        (("--cancel", "77"), "no announced change 77"),
    ],
)
def test_what_cannot_be_is_a_sentence(arguments, says):
    make_market()

    with pytest.raises(CommandError, match=says):
        run(*arguments)


def test_a_dry_run_refuses_the_times_that_the_change_itself_would_be_refused_for(tiers):
    make_market()

    with pytest.raises(CommandError, match="two years ahead"):
        run(*BTC, "--at", "2046-12-01T08:00Z", "--tiers", tiers, "--dry-run")
