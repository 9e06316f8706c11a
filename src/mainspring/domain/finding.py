"""What a check of the data found."""

from dataclasses import dataclass, field
from typing import Any

from mainspring.domain.schema import Severity


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, odd or noteworthy about some rows.

    Attributes:
        code: a stable name in kebab-case, e.g. `new-category`, `leaks-target`, `missing-share`.
        column: the offender, or `None` where it is the table as a whole.
        message: what was seen, with the number and the bar.
        cure: what a person may do about it.
        rows: how many rows show it.
        examples: up to five places or values, e.g. `{"file": "a.csv", "row": 17, "value": "x"}`.
    """

    code: str
    severity: Severity
    message: str
    cure: str = ""
    column: str | None = None
    rows: int | None = None
    examples: tuple[dict[str, Any], ...] = ()

    def told(self) -> str:
        """In one sentence, with the first place.

        Examples:
            >>> where = {"file": "a.csv", "row": 17, "value": -1}
            >>> Finding("below-minimum", Severity.WARNING, "1 row", column="age", examples=(where,)).told()
            'age: 1 row, first a.csv row 17'
        """
        column = f"{self.column}: " if self.column else ""
        return f"{column}{self.message}{self.place}"

    @property
    def place(self) -> str:
        """Where the first example is, as the end of a sentence; empty where that is not known."""
        first = self.examples[0] if self.examples else {}
        if "pushed" in first:
            return f", first the row pushed as number {first['pushed']:,}"
        if "row" in first and "file" not in first:
            return f", first row {first['row']:,}"
        if "row" in first:
            return f", first {first['file']} row {first['row']:,}"
        return ""


@dataclass(frozen=True, slots=True)
class ValidationReport:
    """All findings about one snapshot."""

    snapshot: str
    rows: int
    findings: tuple[Finding, ...] = field(default=())

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(f for f in self.findings if f.severity is Severity.ERROR)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        return tuple(f for f in self.findings if f.severity is Severity.WARNING)
