import hashlib
import re

import pytest

from tests.paths import PROJECT

STATIC = PROJECT / "static"
TEMPLATES = PROJECT / "templates"
VENDOR = STATIC / "vendor"
TOKENS = (STATIC / "css" / "tokens.css").read_text()
COLOURS = {
    name: (light, dark)
    for name, light, dark in re.findall(
        r"--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)", TOKENS
    )
}
THEMES = ("light", "dark")
SURFACES = ("paper", "sheet", "sunk")
SEVERITIES = ("calm", "warning", "critical", "unknown")

TEXT_ON_SURFACES = [
    (text, surface)
    for text in (
        "ink",
        "soft",
        "faint",
        "accent",
        "gain",
        "loss",
        *map("risk-{}".format, SEVERITIES),
    )
    for surface in SURFACES
]
TEXT_ON_FILLS = [
    *[("ink", f"risk-{severity}-fill") for severity in SEVERITIES],
    *[(f"risk-{severity}", f"risk-{severity}-fill") for severity in SEVERITIES],
    ("on-accent", "accent"),
    ("accent", "risk-warning-fill"),
    ("accent", "risk-critical-fill"),
    ("ink", "flash"),
]
# What is drawn, not written: borders of controls, marks, focus.
DRAWN = [("control", "paper"), ("control", "sheet"), ("accent", "paper")]


def ours(*suffixes):
    """List our own files of the front end; vendored ones are checked by their sums."""
    roots = (STATIC / "css", STATIC / "js", STATIC / "img", TEMPLATES)
    found = [path for root in roots for path in root.rglob("*") if path.suffix in suffixes]
    assert found
    return sorted(found)


def pages():
    return [path for path in ours(".html") if "mail" not in path.parts]


def name_of(path):
    return str(path.relative_to(PROJECT))


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def ratio_of(front, back, theme):
    i = THEMES.index(theme)
    return contrast(COLOURS[front][i], COLOURS[back][i])


def test_contrast_is_computed_as_wcag_does():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(("text", "back"), TEXT_ON_SURFACES + TEXT_ON_FILLS)
def test_text_has_the_contrast_of_wcag_aa(text, back, theme):
    assert ratio_of(text, back, theme) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(("shape", "back"), DRAWN)
def test_what_is_drawn_has_the_contrast_of_wcag_aa(shape, back, theme):
    assert ratio_of(shape, back, theme) >= 3


@pytest.mark.parametrize("path", ours(".css", ".html", ".js"), ids=name_of)
def test_every_custom_property_used_is_a_token(path):
    defined = set(re.findall(r"(--[\w-]+):", TOKENS))

    used = set(re.findall(r"var\((--[\w-]+)\)", path.read_text()))

    assert used <= defined | set(re.findall(r"(--[\w-]+):", path.read_text()))


@pytest.mark.parametrize("path", ours(".css"), ids=name_of)
def test_colours_are_named_in_the_tokens_alone(path):
    if path.name == "tokens.css":
        text = re.sub(r"--[\w-]+: [^;]+;", "", TOKENS)
    else:
        text = re.sub(r"@media print \{.*", "", path.read_text(), flags=re.S)

    found = re.findall(r"#[0-9a-f]{3,8}\b|rgba?\(|hsla?\(", text)

    assert found == []


def test_every_stylesheet_is_linked():
    linked = "".join(path.read_text() for path in ours(".html"))

    missing = [
        path.name
        for path in ours(".css")
        if f"css/{path.relative_to(STATIC / 'css').as_posix()}" not in linked
    ]

    assert missing == []


def test_every_partial_is_used():
    texts = "".join(path.read_text() for path in ours(".html"))

    unused = [
        path.name
        for path in (TEMPLATES / "_components").glob("*.html")
        if f'"_components/{path.name}"' not in texts
    ]

    assert unused == []


def test_vendored_files_are_the_ones_that_were_vendored():
    lines = (VENDOR / "CHECKSUMS").read_text().splitlines()
    expected = {name: digest for digest, name in (line.split() for line in lines)}

    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.iterdir()
        if path.name not in {"CHECKSUMS", "README.md"}
    }

    assert found == expected


def test_each_vendored_file_is_documented():
    readme = (VENDOR / "README.md").read_text()

    missing = [path.name for path in VENDOR.iterdir() if path.name not in readme + "README.md"]

    assert missing == []


@pytest.mark.parametrize("path", ours(".css", ".js", ".html", ".svg"), ids=name_of)
def test_nothing_is_fetched_from_elsewhere(path):
    text = path.read_text().replace("http://www.w3.org/2000/svg", "")

    found = re.findall(r"""https?:|(?:src|href)=["']//|@import|url\(["']?(?=//|\w+:)""", text)

    assert found == []


@pytest.mark.parametrize("path", pages(), ids=name_of)
def test_templates_keep_to_the_content_security_policy(path):
    text = path.read_text()

    assert re.findall(r"\sstyle=", text) == []
    assert re.findall(r"\son[a-z]+=", text) == []
    assert re.findall(r"<style(?![^>]*nonce=)", text) == []
    assert re.findall(r"<script(?![^>]*\ssrc=)", text) == []
    assert "javascript:" not in text


@pytest.mark.parametrize("path", ours(".js"), ids=name_of)
def test_scripts_keep_to_the_content_security_policy(path):
    text = path.read_text()

    found = re.findall(
        r"innerHTML|outerHTML(?!\")|insertAdjacentHTML|document\.write|eval\(|new Function|"
        r"setAttribute\(\"style\"",
        text,
    )

    assert found == []


def test_charts_have_no_way_to_upload():
    text = (STATIC / "js" / "charts.js").read_text()

    assert '"sendChartToCloud"' in text
    assert 'plotlyServerURL: ""' in text
    for path in (STATIC / "js").glob("chart-*.js"):
        assert path.read_text().count("Plotly.react(") == path.read_text().count("charts.CONFIG")


@pytest.mark.parametrize("severity", SEVERITIES)
def test_each_severity_has_a_shape_of_its_own(severity):
    css = (STATIC / "css" / "components" / "severity.css").read_text()
    shape = r"border-radius|clip-path|::before \{\s+content"

    rules = re.findall(rf'\.mark\[data-severity="{severity}"\](.*?)}}', css, flags=re.S)

    assert re.search(shape, "".join(rules))


def test_templates_stay_short():
    long = [name_of(path) for path in ours(".html") if path.read_text().count("\n") > 150]

    assert long == []
