import io
import math
import subprocess
import sys
from dataclasses import replace

import pytest
from rich.console import Console

from mainspring.domain.measurement import State
from mainspring.domain.monitor import MonitorKind
from mainspring.monitoring.report.contents import build_report
from mainspring.monitoring.report.text import report_text
from mainspring.testing.fortnight import END, HOUR, PERIOD, fortnight, measured


def rendered(report, width=140):
    console = Console(file=io.StringIO(), width=width)
    console.print(report_text(report))
    return console.file.getvalue()


@pytest.fixture(scope="module")
def screen():
    return rendered(fortnight().report())


def test_it_says_what_the_page_says_in_the_same_order(screen):
    order = [
        "✕ price changed, and it hurts",
        "What changed?",
        "Since when?",
        "Does it hurt?",
        "KS 0.2",
        "roc_auc (estimated)",
    ]
    order += ["mainspring alerts show", "Not enough to say:"]
    places = [screen.index(words) for words in order]
    assert places == sorted(places)


def test_it_fits_on_two_screens(screen):
    assert len(screen.splitlines()) < 60
    many = fortnight(inputs=tuple(f"feature_{n}" for n in range(60)), every=6 * HOUR)
    bad = [replace(one, state=State.BAD, value=0.5) for one in many.measurements]
    assert len(rendered(many.report(measurements=bad)).splitlines()) < 110


def test_names_are_no_markup_and_no_orders_to_the_terminal():
    report = build_report(
        "m",
        period=PERIOD,
        generated_at=END,
        measurements=[
            measured(
                "drift", MonitorKind.DRIFT, "[red]a\x1b[2Jb", END, state=State.BAD, value=0.4, bar=0.1,
                note="[/bold] \x1b]0;x\x07",
            )
        ],
    )  # fmt: skip
    text = rendered(report)
    assert "[red]a\\x1b[2Jb" in text
    assert "\x1b" not in text
    assert "\x07" not in text


def test_the_json_and_the_page_need_no_terminal():
    code = (
        "import sys, mainspring.monitoring.report.html, mainspring.monitoring.report.json, "
        "mainspring.monitoring.report.text; print([m for m in ('rich', 'polars', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_numbers_that_are_none_or_beyond_all_bounds_leave_gaps():
    values = [1.0, math.nan, 1e308, -1e308, math.inf, 2.0]
    looks = [
        measured("m", MonitorKind.BUSINESS, "x", END - n * HOUR, value=value, bar=0.0)
        for n, value in enumerate(reversed(values))
    ]
    assert "▁    █" in rendered(build_report("m", period=PERIOD, generated_at=END, measurements=looks))
