"""A validation report for people and for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mainspring.data.showing import plain_value
from mainspring.domain.finding import Finding, ValidationReport
from mainspring.domain.schema import Severity

if TYPE_CHECKING:  # a program that wants JSON need not load the terminal
    from rich.console import RenderableType

_ORDER = (Severity.ERROR, Severity.WARNING, Severity.OFF)
_STYLE = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.OFF: "dim"}
_SHOWN_TEXT = 40


def summary(report: ValidationReport) -> str:
    """One line.

    Examples:
        >>> summary(ValidationReport("0123456789abcdef", 12_000))
        'snapshot 0123456789ab: 12,000 rows, nothing found'
    """
    counts = [(len(report.errors), "error"), (len(report.warnings), "warning")]
    found = ", ".join(f"{count} {word}{'s' if count > 1 else ''}" for count, word in counts if count)
    return f"snapshot {report.snapshot[:12]}: {report.rows:,} rows, {found or 'nothing found'}"


def report_to_dict(report: ValidationReport) -> dict[str, Any]:
    """The report as plain JSON: no NaN, no infinity, times as text."""
    return {
        "snapshot": report.snapshot,
        "rows": report.rows,
        "errors": len(report.errors),
        "warnings": len(report.warnings),
        "findings": [finding_to_dict(finding) for finding in in_order(report.findings)],
    }


def finding_to_dict(finding: Finding) -> dict[str, Any]:
    return {
        "code": finding.code,
        "severity": str(finding.severity),
        "column": finding.column,
        "message": finding.message,
        "cure": finding.cure,
        "rows": finding.rows,
        "examples": [{key: plain_value(value) for key, value in e.items()} for e in finding.examples],
    }


def report_table(report: ValidationReport) -> RenderableType:
    """The report for a terminal: the summary, and one row per finding, errors first."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    head = Text(summary(report))
    if not report.findings:
        return head
    table = Table(show_edge=False, pad_edge=False)
    for name in ("", "column", "what was seen", "what to do"):
        table.add_column(name, overflow="fold")
    for finding in in_order(report.findings):
        seen = Text(finding.message)
        if finding.examples:
            seen.append("\n" + "; ".join(_example(example) for example in finding.examples), style="dim")
        table.add_row(
            Text(f"{finding.severity}\n{finding.code}", style=_STYLE[finding.severity]),
            Text(finding.column or "–"),
            seen,
            Text(finding.cure),
        )
    return Group(head, table)


def in_order(findings: tuple[Finding, ...]) -> list[Finding]:
    """Errors first, else as they were found."""
    return sorted(findings, key=lambda finding: _ORDER.index(finding.severity))


def _example(example: dict[str, Any]) -> str:
    return ", ".join(f"{key} {_shortened(plain_value(value))}" for key, value in example.items())


def _shortened(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= _SHOWN_TEXT else text[: _SHOWN_TEXT - 1] + "…"
