import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.domain.measurement import State
from mainspring.domain.monitor import MonitorKind
from mainspring.monitoring.report import html as page_module
from mainspring.monitoring.report.contents import build_report
from mainspring.monitoring.report.html import report_html
from mainspring.testing.fortnight import END, HOUR, PERIOD, fortnight, measured

MOST_BYTES = 2_000_000
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style><svg onload=alert(1)>",
    "'; DROP TABLE x; --",
    "a\u202eb\x00c\x1b[31m",
    "&lt;b&gt;",
    "line\nbreak",
    "\ud800half",
    "x" * 5_000,
]


class Page(HTMLParser):
    """Follows the page's tags, and fails where one is not closed in its order."""

    VOID = ("meta", "br")

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.words, self.attributes = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open, f"left open: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *one) for one in attrs]
        assert len({name for name, _ in attrs}) == len(attrs), f"an attribute twice: {tag} {attrs}"
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1] == tag, f"</{tag}> closes {self.open[-1]}"
        self.open.pop()

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def broken():
    return fortnight()


@pytest.fixture(scope="module")
def wide():
    """Five hundred inputs, looked at as often as a series keeps points."""
    return fortnight(inputs=tuple(f"feature_{n:03}" for n in range(500)), every=2 * HOUR)


@pytest.fixture(scope="module")
def page(broken):
    return Page(report_html(broken.report()))


def test_it_is_one_whole_page_that_needs_nothing_else(broken, page):
    text = report_html(broken.report())
    assert text.startswith("<!doctype html>")
    assert {"script", "img", "link", "iframe", "object", "a"}.isdisjoint(page.tags)
    assert not re.search(r"https?:|url\(|@import", text)
    policy = next(value for _, name, value in page.attributes if name == "content" and "default-src" in value)
    assert policy.startswith("default-src 'none'")
    assert not [one for one in page.attributes if one[1].startswith("on")]


def test_the_verdict_and_the_three_answers_stand_at_the_top(page):
    text = page.text
    assert text.index("Needs attention") < text.index("price changed, and it hurts") < text.index("What changed?")
    assert text.index("Since when?") < text.index("Does it hurt?") < text.index("KS 0.2")


def test_every_section_is_there_in_its_order(page):
    headings = ["What changed", "Does it hurt?", "Volume and technical", "Fairness", "Business", "Alerts"]
    headings.append("What could not be said")
    body = page.text[page.text.index("not enough to say") :]
    places = [body.index(heading) for heading in headings]
    assert places == sorted(places)
    assert "mainspring alerts show 0198f1c2" in body
    assert "estimated without labels" in body
    assert "19 % of the labels are in, 80 % are needed" in body


def test_pictures_are_told_to_those_who_cannot_see_them(page):
    labels = [value for _, name, value in page.attributes if name == "aria-label"]
    assert any(value.startswith("roc_auc over time; newest 0.7") for value in labels)
    assert any(value.startswith("drift: bad 17 Jul") for value in labels)
    pictures = [tag for tag, name, value in page.attributes if (name, value) == ("role", "img")]
    assert len(pictures) >= 10
    assert page.tags.count("svg") == sum(
        (name, v) == ("aria-hidden", "true") for t, name, v in page.attributes if t == "svg"
    )


def test_the_estimate_is_reconciled_with_what_came_true(page):
    assert re.search(r"the estimate was off by 0\.00\d+ on average", page.text)


def test_it_is_small_and_grows_with_the_columns_only(broken):
    small = len(report_html(broken.report()).encode())
    assert small < 300_000
    more = [replace(one, rows=one.rows * 1_000_000) for one in broken.measurements]
    assert len(report_html(broken.report(measurements=more)).encode()) < small * 1.2


def test_five_hundred_columns_and_five_hundred_slices_stay_under_two_megabytes(wide):
    sliced = [
        measured("performance_roc_auc", MonitorKind.PERFORMANCE, "roc_auc", END, value=0.8, low=0.7, high=0.9,
                 bar=0.78, slice={"shop": f"shop {n}"}, release=7)
        for n in range(500)
    ]  # fmt: skip
    text = report_html(wide.report(measurements=(*wide.measurements, *sliced)))
    assert len(text.encode()) < MOST_BYTES
    page = Page(text)
    assert page.text.index("feature_000") < page.text.index("feature_499")
    assert "500 as they were" in page.text  # all but one, and the answer


def test_all_columns_bad_stay_under_two_megabytes_too(wide):
    bad = [
        replace(one, state=State.BAD, value=0.5, note="y" * 500) if one.kind == "drift" else one
        for one in wide.measurements
    ]
    text = report_html(wide.report(measurements=bad))
    assert len(text.encode()) < MOST_BYTES
    assert Page(text).tags.count("article") < 60


@pytest.mark.parametrize("name", HOSTILE)
def test_names_of_strangers_are_text_wherever_they_stand(broken, name):
    alert = replace(broken.alerts[0], monitor=name, owner=name, id=name)
    report = build_report(
        name,
        period=PERIOD,
        generated_at=END,
        measurements=[
            measured(
                "drift", MonitorKind.DRIFT, name, END, state=State.BAD, value=0.4, bar=0.1, method=name, note=name,
                example={name: name},
            ),
            measured("drift", MonitorKind.DRIFT, f"{name}: missing", END, state=State.UNKNOWN, note=name),
            measured("m", MonitorKind.PERFORMANCE, name, END, value=0.4, bar=0.1, slice={name: name}, note=name),
            measured("m", MonitorKind.PERFORMANCE, name, END, value=0.4, bar=0.1, state=State.BAD, note=name),
        ],
        alerts=[alert],
        pictures=[replace(broken.pictures[0], name=name, note=name, bars=())],
    )  # fmt: skip
    text = report_html(report)
    page = Page(text)
    text.encode()
    known = set(Page(report_html(broken.report())).tags) | {"ul", "li"}
    assert set(page.tags) <= known
    assert not [one for one in page.attributes if one[1].startswith("on")]
    assert not {"\x00", "\x1b", "\u202e"} & set(text)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(list(MonitorKind)),
            st.sampled_from(["", "age", "age: missing", "roc_auc", "positive_rate", "latency_p99"]),
            st.integers(0, 400),
            st.sampled_from(list(State)),
            st.none() | st.floats(width=64),
            st.none() | st.floats(width=64),
            st.none() | st.floats(width=64),
            st.sampled_from([None, 1, 2]),
            st.sampled_from([{}, {"a": "b"}, {"a": "c"}]),
        ),
        max_size=25,
    )
)
def test_whatever_was_measured_makes_a_whole_page(facts):
    measurements = [
        measured(
            f"{kind}_m", kind, subject, END - (END - PERIOD.start) / 401 * ago, state=state, value=value, low=low,
            high=low, bar=bar, reference=bar, release=release, slice=slice_,
        )
        for kind, subject, ago, state, value, low, bar, release, slice_ in facts
    ]  # fmt: skip
    report = build_report("m", period=PERIOD, generated_at=END, measurements=measurements)
    page = Page(report_html(report))
    assert report.headline.title in page.text
    assert not re.search(r"\b(nan|inf)\b", page.text)
    assert not [
        v for _, name, v in page.attributes if name in ("d", "style", "x", "y") and re.search("nan|inf", v)
    ]


def test_an_empty_report_is_a_page_as_well():
    page = Page(report_html(build_report("m", period=PERIOD, generated_at=END, measurements=[])))
    assert "There is not enough to say how the model does" in page.text
    assert "None in these 14 days." in page.text


def luminance(colour):
    """Relative luminance of `#rrggbb` (WCAG 2.2)."""
    shares = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_words_stand_out_from_what_lies_behind_them(scheme):
    style = Path(page_module.__file__).with_name("page.css").read_text()
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", style.split(":root {")[1 + scheme]))
    pairs = [*product(("ink", "soft"), ("page", "card"))]
    pairs += [(state, f"{state}-wash") for state in ("bad", "fine", "unknown")]
    for word, ground in pairs:
        lighter, darker = sorted((luminance(colours[word]), luminance(colours[ground])), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5, f"{word} on {ground}"
    for shape in ("now", "bad", "fine"):
        lighter, darker = sorted((luminance(colours[shape]), luminance(colours["card"])), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 3, shape
