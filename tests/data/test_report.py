import io
import json
import subprocess
import sys

from rich.console import Console

from mainspring.data.report import report_table, report_to_dict, summary
from mainspring.domain.finding import Finding, ValidationReport
from mainspring.domain.schema import Severity

REPORT = ValidationReport(
    "0123456789abcdef",
    1000,
    (
        Finding("constant", Severity.WARNING, "the same [bold]value[/bold]", "leave it out", "a [red]column", 3),
        Finding(
            "below-minimum",
            Severity.ERROR,
            "3 of 1,000 rows",
            "mend them",
            "age",
            3,
            ({"row": 4, "value": float("-inf")}, {"row": 5, "value": "x" * 500}),
        ),
    ),
)


def rendered(report):
    console = Console(file=io.StringIO(), width=100)
    console.print(report_table(report))
    return console.file.getvalue()


def test_the_table_shows_errors_first_and_takes_no_markup():
    text = rendered(REPORT)
    assert text.index("below-minimum") < text.index("constant")
    assert "[bold]value[/bold]" in text
    assert "a [red]column" in text
    assert "row 4, value '-inf'" in text
    assert "x" * 60 not in text.replace("\n", "")
    assert "1 error, 1 warning" in text


def test_nothing_found_is_one_line():
    assert rendered(ValidationReport("ab" * 32, 5)).splitlines() == [
        "snapshot abababababab: 5 rows, nothing found"
    ]


def test_the_json_is_plain_and_in_the_same_order():
    data = json.loads(json.dumps(report_to_dict(REPORT), allow_nan=False))
    assert (data["errors"], data["warnings"], data["rows"]) == (1, 1, 1000)
    assert [f["code"] for f in data["findings"]] == ["below-minimum", "constant"]
    assert data["findings"][0]["examples"][0] == {"row": 4, "value": "-inf"}


def test_the_summary_counts():
    assert summary(REPORT) == "snapshot 0123456789ab: 1,000 rows, 1 error, 1 warning"


def test_json_needs_no_terminal_and_validation_no_pandera_until_it_runs():
    code = (
        "import sys, mainspring.data.report, mainspring.data.validation, mainspring.data.estimator_frame;"
        "print([m for m in ('rich', 'pandera', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
