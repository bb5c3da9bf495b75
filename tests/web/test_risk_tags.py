from datetime import UTC, datetime, timedelta

import pytest
from django.http import QueryDict
from django.template import Context, Template
from django.template.loader import render_to_string

NOW = datetime(2026, 11, 22, 15, 46, 3, tzinfo=UTC)
FILTERS = (
    "price quantity money signed_money percent probability ratio leverage basis_points sigmas "
    "count age duration timestamp time_of_day"
)


def shown(source, **context):
    return Template("{% load risk %}" + source).render(Context(context))


@pytest.mark.parametrize("name", FILTERS.split())
@pytest.mark.parametrize("value", [None, ""])
def test_a_filter_shows_a_dash_for_what_is_missing(name, value):
    assert shown("{{ value|" + name + " }}", value=value) == "—"


def test_a_filter_shows_a_dash_for_a_variable_that_is_not_there():
    assert shown("{{ nowhere.at.all|price }}") == "—"


def test_a_number_that_is_a_text_is_not_taken_for_a_number():
    assert shown("{{ value|price }}", value="<b>7</b>") == "—"
    assert shown("{{ value|money }}", value=True) == "—"


def test_a_known_figure_carries_its_source():
    html = shown('{% figure 188.1 "price" field="mark_price" %}')

    assert html == (
        '<span class="figure" data-source="reported" data-field="mark_price">'
        '<span class="figure-value">188.10</span></span>'
    )


def test_a_figure_of_ours_says_so_and_why():
    html = shown('{% figure 188.1 "price" source="derived" reason="venue_gives_none" %}')

    assert '<small class="figure-source">ours</small>' in html
    assert 'title="Computed by RiskHub: venue gives none"' in html


def test_a_rounded_figure_tells_all_its_digits_on_asking():
    html = shown('{% figure 188.0953217 "price" %}')

    assert ">188.10<" in html
    assert "188.0953217\nReported by the venue" in html


def test_an_unknown_figure_is_a_dash_with_its_reason_for_every_reader():
    html = shown('{% figure value "price" source="reported" reason="bankrupt" %}', value=None)

    assert 'data-source="unknown"' in html
    assert 'tabindex="0" role="img"' in html
    assert 'aria-label="unknown: bankrupt"' in html
    assert ">—<" in html


def test_an_unknown_figure_without_a_reason_says_that():
    assert "no reason was given" in shown('{% figure nowhere "percent" %}')


def test_a_reason_is_escaped():
    html = shown('{% figure None "price" reason=reason %}', reason='"><script>')

    assert "<script>" not in html


def test_money_and_quantities_name_their_unit():
    assert ">$4,200<" in shown('{% figure 4200 "money" %}')
    assert ">0.0123 BTC<" in shown('{% figure 0.0123 "money" unit="BTC" %}')
    assert ">142.5 SOL<" in shown('{% figure 142.5 "quantity" unit="SOL" %}')
    assert '<span class="figure-unit">USDT</span>' in shown('{% figure 1.5 "price" unit="USDT" %}')


def test_a_figure_keeps_the_digits_asked_for():
    assert ">20.3 %<" in shown('{% figure 0.203 "percent" digits=1 %}')


@pytest.mark.parametrize("value", ["critical", "warning", "unknown", "calm"])
def test_severity_is_a_shape_and_a_word(value):
    html = shown("{% severity value %}", value=value)

    assert f'<span class="mark" data-severity="{value}"></span>' in html
    assert value in html.split("severity-word")[1]


@pytest.mark.parametrize("value", ["", None, "purple"])
def test_a_severity_nobody_knows_is_unknown_not_calm(value):
    assert 'data-severity="unknown"' in shown("{% severity value %}", value=value)


@pytest.mark.parametrize(
    ("fraction", "width"), [(0.86, "86.0"), (0, "0.0"), (1.4, "100.0"), (-0.2, "0.0")]
)
def test_a_gauge_is_as_full_as_the_fraction(fraction, width):
    html = shown("{% gauge fraction %}", fraction=fraction)

    assert f'class="gauge-fill" width="{width}"' in html
    assert "data-unknown" not in html


@pytest.mark.parametrize("fraction", [None, "", float("nan")])
def test_an_unknown_gauge_is_not_an_empty_one(fraction):
    assert "data-unknown" in shown("{% gauge fraction %}", fraction=fraction)


def test_a_badge_explains_itself():
    html = shown('{% badge "not_contained" %}')

    assert ">not contained<" in html
    assert "free balance" in html
    assert 'data-tone="warning"' in html


def test_a_badge_of_another_kind_shows_its_own_words():
    assert shown('{% badge "auto_deleveraged" %}') == '<span class="badge">auto deleveraged</span>'


@pytest.mark.parametrize(("age_s", "is_stale"), [(2, False), (71, True)])
def test_an_age_is_stale_beyond_its_budget(age_s, is_stale):
    at = NOW - timedelta(seconds=age_s)

    html = shown("{% age_since at now=now budget_s=70 %}", at=at, now=NOW)

    assert f'data-age-at="{at:%Y-%m-%dT%H:%M:%S}.000Z"' in html
    assert ("data-stale" in html) == is_stale


def test_an_age_of_what_was_never_read_is_unknown():
    html = shown("{% age_since at now=now %}", at=None, now=NOW)

    assert "never read" in html


@pytest.mark.parametrize(
    ("address", "link", "order"),
    [
        ("", "sort=-distance", "ascending"),
        ("sort=distance&venue=okx&page=3", "sort=-distance&amp;venue=okx", "ascending"),
        ("sort=-distance", "sort=distance", "descending"),
        ("sort=age", "sort=distance", None),
    ],
)
def test_a_heading_sorts_and_says_how_it_is_sorted(address, link, order):
    html = shown(
        '{% sort_header "Distance" "distance" params=params default="distance" %}',
        params=QueryDict(address),
    )

    assert f'href="?{link}"' in html
    assert (f'aria-sort="{order}"' in html) if order else ("aria-sort" not in html)


def test_a_heading_sorts_without_a_request():
    assert 'href="?sort=age"' in shown('{% sort_header "Age" "age" params=request.GET %}')


def test_a_number_and_its_unit_stay_on_one_line():
    sentence = "3.1 % away, 41 % likely within 24 h, 2 min old, 12 months"

    text = shown("{{ sentence|keep_units }}", sentence=sentence)

    assert text == ("3.1\u00a0% away, 41\u00a0% likely within 24\u00a0h, 2\u00a0min old, 12 months")


def test_a_sentence_with_units_is_still_escaped():
    assert shown("{{ sentence|keep_units }}", sentence="<b> 3 %") == "&lt;b&gt; 3\u00a0%"


@pytest.mark.parametrize(("value", "css"), [(2, "is-gain"), (-2, "is-loss"), (0, ""), (None, "")])
def test_gains_and_losses_have_a_class(value, css):
    assert shown("{{ value|gain_class }}", value=value) == css


@pytest.mark.parametrize(
    "name", ["styleguide.html", "404.html", "403.html", "500.html", "registration/locked.html"]
)
def test_a_page_renders_with_an_empty_context(name):
    html = render_to_string(name, {})

    assert "<h1>" in html
    assert "</html>" in html


def test_the_style_guide_shows_every_severity_and_the_unknown():
    html = render_to_string("styleguide.html", {})

    for severity in ("critical", "warning", "unknown", "calm"):
        assert f'class="mark" data-severity="{severity}"' in html
    assert 'aria-label="unknown: venue gives none"' in html


def test_the_frame_says_what_was_not_seen():
    seen = {"seen": 12, "total": 14, "blind": ["kraken-old", "okx-sub3"]}

    html = render_to_string("404.html", {"seen": seen})

    assert "12 of 14 accounts seen" in html
    assert "2 blind: kraken-old, okx-sub3" in html


def test_the_frame_shows_banners_and_where_we_are():
    context = {
        "banners": [{"level": "error", "text": "The worker <died>.", "id": "worker"}],
        "nav": [{"name": "Alerts", "url": "/alerts/", "is_current": True, "count": 3}],
    }

    html = render_to_string("404.html", context)

    assert 'data-level="error"' in html
    assert "The worker &lt;died&gt;." in html
    assert '<a href="/alerts/" aria-current="page">' in html
