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
