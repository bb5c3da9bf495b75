import csv
import html
import io
import itertools
import json
from types import SimpleNamespace

import pytest
from asgiref.sync import async_to_sync
from django.core.management import CommandError, call_command
from django.test import AsyncRequestFactory, Client, RequestFactory

from positions import exports
from positions.external import position_document, position_queryset
from positions.fields import POSITION_FIELDS, FieldKind
from positions.management.commands.export import Command
from positions.overview import SORTS
from positions.pages.filters import SORT_COLUMNS
from riskhub.teams.models import Team
from tests import factories
from tests.factories import make_account, make_position, make_position_unknown, make_team

pytestmark = pytest.mark.django_db

NAMES = [field.name for field in POSITION_FIELDS]
NUMBERS = [field.name for field in POSITION_FIELDS if field.kind is FieldKind.NUMBER]
TRIGGERS = ("=", "+", "-", "@", "\t", "\r")


def export(*arguments):
    out = io.StringIO()
    call_command("export", "positions", *arguments, stdout=out)
    return out.getvalue()


def records(text):
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_csv_has_the_documented_header():
    make_position()

    text = export("--format", "csv")

    assert next(csv.reader(io.StringIO(text))) == [*NAMES, "sources", "reasons"]


def test_csv_holds_the_document_cell_by_cell():
    position = make_position()
    document = position_document(position_queryset(team=position.team).get())

    (record,) = records(export())

    assert record["entry_price"] == document["entry_price"]
    assert record["liquidation_price"] == document["liquidation_price"]
    assert record["auto_add_margin"] == "false"
    assert json.loads(record["sources"]) == document["sources"]
    assert json.loads(record["reasons"]) == document["reasons"]


def test_unknown_is_an_empty_cell_with_its_reason_beside():
    make_position_unknown()

    (record,) = records(export())

    reasons = json.loads(record["reasons"])
    assert all(record[name] == "" for name in NUMBERS)
    assert all(reasons[name] for name in NUMBERS)


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_no_text_cell_begins_like_a_formula(trigger):
    hostile = f"{trigger}cmd|' /C calc'!A0"
    account = make_account(label=hostile)
    market = factories.make_market(hostile, venue=account.venue, asset=hostile)
    make_position(account, market=market)

    (record,) = records(export())

    assert record["account"] == record["symbol"] == record["asset"] == f"'{hostile}"
    texts = [record[name] for name in record if name not in NUMBERS]
    assert not [text for text in texts if text.startswith(TRIGGERS)]


def test_a_negative_number_stays_a_number():
    make_position(unrealized_pnl=-1.5, liquidation_distance=-0.25, printed={})

    (record,) = records(export())

    assert record["unrealized_pnl"] == "-1.5"
    assert record["liquidation_distance"] == "-0.25"


def test_json_is_an_array_of_the_documents():
    account = make_account()
    make_position(account)
    make_position_unknown(account)
    expected = [position_document(row) for row in position_queryset(team=account.team)]

    text = export("--format", "json")

    assert json.loads(text) == expected


def test_an_empty_database_gives_an_empty_export():
    assert records(export("--format", "csv")) == []
    assert json.loads(export("--format", "json")) == []
    assert not Team.objects.exists()


def test_ended_positions_are_exported_on_request_only():
    account = make_account()
    make_position(account, symbol="BTC/USDT:USDT")
    make_position(account, symbol="ETH/USDT:USDT", state="closed")

    live, everything = records(export()), records(export("--all"))

    assert [record["symbol"] for record in live] == ["BTC/USDT:USDT"]
    assert len(everything) == 2


@pytest.mark.parametrize("arguments", [(), ("--all",), ("--format", "json")])
def test_positions_of_a_disabled_account_are_not_exported(arguments):
    shown = make_position()
    make_position(make_account(shown.team, is_enabled=False), symbol="HIDDEN/USDT:USDT")

    text = export(*arguments)

    assert "BTC/USDT:USDT" in text
    assert "HIDDEN" not in text


def test_two_teams_must_be_told_apart_and_never_mix():
    mine, other = make_team("Mine"), make_team("Other")
    position = make_position(team=mine)
    make_position(team=other)

    chosen = records(export("--team", "Mine"))

    assert [record["id"] for record in chosen] == [str(position.pk)]
    with pytest.raises(CommandError, match="Name one team with --team; one of: Mine, Other"):
        export()


def test_an_unknown_team_is_named_with_the_teams_there_are():
    make_team("Mine")

    with pytest.raises(CommandError, match="no team 'Yours'; one of: Mine"):
        export("--team", "Yours")


def test_an_export_writes_nothing(django_assert_num_queries):
    make_position()

    with django_assert_num_queries(3) as captured:
        export()

    statements = {query["sql"].split()[0] for query in captured.captured_queries}
    # A server-side cursor on PostgreSQL.
    assert statements <= {"SELECT", "DECLARE"}


def test_export_takes_rows_as_they_come_and_not_all_at_once():
    position = make_position()
    taken = itertools.count()
    endless = (position for _ in taken)

    chunks = exports.csv_lines(endless)
    header, first = next(chunks), next(chunks)

    assert header.startswith("id,life,venue")
    assert len(records(header + first)) == next(taken) == 500


def test_a_download_is_a_file_that_streams():
    position = make_position()

    response = exports.download(
        RequestFactory().get("/"), positions=position_queryset(team=position.team), kind="csv"
    )

    assert response.streaming
    assert response["Content-Disposition"] == 'attachment; filename="positions.csv"'
    assert len(records(response.getvalue().decode())) == 1


@pytest.mark.django_db(transaction=True)
def test_a_download_under_asgi_does_not_block_and_is_the_same():
    position = make_position()
    rows = position_queryset(team=position.team)

    response = exports.download(AsyncRequestFactory().get("/"), positions=rows, kind="json")

    assert response.is_async
    assert json.loads(collect(response)) == [position_document(rows.get())]


def collect(response):
    async def read():
        return b"".join([part async for part in response.streaming_content])

    return async_to_sync(read)()


def test_a_reader_that_stops_early_is_no_error(capfd, monkeypatch):
    make_position()
    command = Command(stdout=io.StringIO())
    command.stdout = SimpleNamespace(write=refuse, flush=lambda: None)
    devnull = []
    monkeypatch.setattr("os.dup2", lambda *pair: devnull.append(pair))

    command.handle(format="csv", team="", all=False)

    assert devnull


def refuse(*_, **__):
    raise BrokenPipeError


@pytest.fixture
def desk():
    """A team with a long of BTC at Binance and a short of ETH at Bybit, and its browser."""
    team = make_team("Desk")
    make_position(make_account(team, label="main"), symbol="BTC/USDT:USDT", collateral_usd=5.0)
    make_position(
        make_account(team, venue="bybit", label="paper", is_simulated=True),
        symbol="ETH/USDT:USDT",
        side="short",
        collateral_usd=9.0,
    )
    make_position(make_account(label="theirs", venue="okx"))
    client = Client(raise_request_exception=False)
    client.force_login(factories.make_user(team=team))
    return client


@pytest.mark.parametrize(
    ("query", "field", "sentence"),
    [
        ("venue=nope", "venue", "This is one of: binance, bybit."),
        ("venue=okx", "venue", "This is one of: binance, bybit."),
        ("venue=%00", "venue", "This is one of: binance, bybit."),
        ("account=nope", "account", "This is one of: main, paper."),
        ("account=theirs", "account", "This is one of: main, paper."),
        ("side=xx", "side", "This is one of: long, short."),
        ("severity=bad", "severity", "This is one of:"),
        ("state=dead", "state", "This is one of:"),
        ("margin_mode=x", "margin_mode", "This is one of:"),
        ("simulated=2", "simulated", "This is one of: 0, 1."),
        ("asset=%00", "asset", "not readable"),
        ("sort=__class__", "sort", "This is one of: distance, -distance, margin_ratio"),
        ("sort=--distance", "sort", "This is one of: distance"),
        ("sidee=long", "sidee", "There is no such parameter. The parameters here are: account"),
    ],
)
def test_a_download_refuses_what_means_nothing(desk, query, field, sentence):
    answers = {kind: desk.get(f"/export/positions.{kind}?{query}") for kind in ("json", "csv")}

    error = answers["json"].json()["error"]
    assert {answer.status_code for answer in answers.values()} == {400}
    assert (error["code"], error["field"]) == ("bad_parameter", field)
    assert sentence in error["message"]
    assert answers["csv"].content.decode().startswith(f"{field}: ")
    assert sentence in answers["csv"].content.decode()


@pytest.mark.parametrize(
    ("query", "symbols"),
    [
        ("", ["BTC/USDT:USDT", "ETH/USDT:USDT"]),
        ("venue=&side=&sort=", ["BTC/USDT:USDT", "ETH/USDT:USDT"]),
        ("venue=bybit", ["ETH/USDT:USDT"]),
        ("venue=bybit&venue=binance", ["BTC/USDT:USDT", "ETH/USDT:USDT"]),
        ("account=main", ["BTC/USDT:USDT"]),
        ("simulated=0", ["BTC/USDT:USDT"]),
        ("is_simulated=true", ["ETH/USDT:USDT"]),
        ("side=short&sort=pnl", ["ETH/USDT:USDT"]),
        ("asset=GONE", []),
        ("state=closed", []),
        ("state=all", ["BTC/USDT:USDT", "ETH/USDT:USDT"]),
        ("sort=collateral", ["BTC/USDT:USDT", "ETH/USDT:USDT"]),
        ("sort=-collateral", ["ETH/USDT:USDT", "BTC/USDT:USDT"]),
    ],
)
def test_a_download_holds_what_its_address_asks_for_in_its_order(desk, query, symbols):
    answer = desk.get(f"/export/positions.json?{query}")

    found = [row["symbol"] for row in json.loads(answer.getvalue())]
    assert answer.status_code == 200
    assert found == symbols if "sort=-" in query else sorted(found) == symbols


def test_each_order_of_the_table_is_one_of_a_download():
    assert set(SORT_COLUMNS) == set(SORTS)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("venue=nope", "No venue 'nope' here: it was left out. This is one of: binance, bybit."),
        ("side=xx", "No side 'xx' here: it was left out. This is one of: long, short."),
        ("account=theirs", "No account 'theirs' here: it was left out."),
        ("state=all", "No state 'all' here: it was left out."),
        ("asset=%00", r"No asset '\x00' here: it was left out."),
        ("sort=__class__", "No sort '__class__' here: it was left out. This is one of: distance"),
        ("sidee=long", "No filter 'sidee' here: it was left out."),
    ],
)
def test_the_overview_hides_nothing_silently(desk, query, sentence):
    page = desk.get(f"/?{query}")
    part = desk.get(f"/?{query}", headers={"hx-request": "true"})
    later = desk.get("/")

    words = html.unescape(page.content.decode())
    assert page.status_code == part.status_code == 200
    assert sentence in words
    assert page.context["total_rows"] == part.context["total_rows"] == 2
    assert page.context["query"] == ""
    assert "left out" not in html.unescape(later.content.decode())


def test_the_overview_says_that_it_shows_one_of_two_filters(desk):
    page = desk.get("/?venue=binance&venue=bybit")

    assert "Only one venue at a time is shown here: 'bybit'." in html.unescape(
        page.content.decode()
    )
    assert page.context["total_rows"] == 1


def test_a_filter_that_nothing_passes_today_stays_a_filter(desk):
    page = desk.get("/?asset=SOL")

    assert page.context["total_rows"] == 0
    assert "No position passes these filters" in page.content.decode()
