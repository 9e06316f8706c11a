"""What `model.py` shall say, from what was inferred and from the target's own values."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mainspring.cli.init_templates import Plan
from mainspring.cli.plain import number
from mainspring.domain.schema import Column, Kind
from mainspring.domain.task import Task
from mainspring.errors import TargetError

if TYPE_CHECKING:
    import polars as pl

    from mainspring.data.inference import Inference

_SLICES = 2
_SLICE_VALUES = range(2, 9)
# Model's default. Two equally good models must pass the champion gate on so many rows, and half the width of the
# paired interval falls with the root of their number.
_HOLDOUT = 0.2


def make_plan(found: "Inference", name: str, environ: Mapping[str, str]) -> Plan:
    """Choose lists, gates and slices.

    Raises:
        TargetError: the task could not be found out.
    """
    if found.target is None or found.task is None:
        raise TargetError(
            f"what kind of prediction {found.target!r} asks for could not be found out: {found.task_reason}",
            cure="say it with --task binary, multiclass or regression",
            where={"column": found.target},
        )
    columns = [found.schema[feature] for feature in found.features]
    categories = tuple((c.name, _values(c)) for c in columns if c.kind is Kind.CATEGORY)
    numbers = tuple(c.name for c in columns if c.kind.is_numeric or c.kind is Kind.TIME)
    roles = (found.target, found.source.key, found.source.time)
    note, positive, margin, margin_note = _target_facts(found, found.target, found.task, environ)
    return Plan(
        name=name,
        data=", ".join(found.source.locations[:3]) + (", …" if len(found.source.locations) > 3 else ""),
        rows=found.rows,
        source=found.source,
        target=found.target,
        task=found.task,
        task_reason=found.task_reason,
        target_note=note,
        positive=positive,
        key_reason=found.key_reason,
        time_reason=found.time_reason,
        numbers=numbers,
        categories=categories,
        left_out={name: why for name, why in found.left_out.items() if name not in roles},
        margin=margin,
        margin_note=margin_note,
        slices=_slices(columns),
    )


def _values(column: Column) -> int:
    """How many values a category has; of one whose values are not listed, more than any list would hold."""
    return len(column.categories) if column.categories is not None else 1_000_000


def _slices(columns: list[Column]) -> tuple[str, ...]:
    few = [c.name for c in columns if c.kind is Kind.CATEGORY and _values(c) in _SLICE_VALUES]
    return tuple(few[:_SLICES])


def _target_facts(
    found: "Inference", target: str, task: Task, environ: Mapping[str, str]
) -> tuple[str, str | None, float, str]:
    """A note on the target's values, the positive class, and the champion gate's margin with its reason."""
    from mainspring.data.reading import read_batches

    only_target = found.schema.select((target,))
    values = (
        batch[target].drop_nulls() for batch in read_batches(found.source, only_target, Path(), environ=environ)
    )
    if task is Task.REGRESSION:
        rows, mean, deviation = _moments(values)
        share = max(0.01, 0.5 / math.sqrt(max(1.0, _HOLDOUT * rows)))
        note = f"{rows:,} values, mean {number(mean)}, standard deviation {number(deviation)}"
        return note, None, _round(share * deviation), f"{share:.1%} of the target's standard deviation"
    counts = _counts(values)
    total = sum(counts.values())
    shares = ", ".join(f"{label} {count / total:.1%}" for label, count in counts.most_common(8))
    more = f" and {len(counts) - 8} more" if len(counts) > 8 else ""
    if task is Task.BINARY:
        positive = found.positive or min(sorted(counts), key=lambda label: counts[label])
        rarer = _HOLDOUT * min(counts.values())
        margin = max(0.005, _round(0.2 / math.sqrt(max(1.0, rarer))))
        note = f"{shares}; {positive} counts as positive"
        return note, positive, margin, f"what {rarer:,.0f} held-out rows of the rarer class can just tell"
    entropy = -sum(c / total * math.log(c / total) for c in counts.values() if c)
    share = max(0.01, 0.5 / math.sqrt(max(1.0, _HOLDOUT * total)))
    reason = f"{share:.1%} of the naive predictor's log loss"
    return f"{len(counts)} classes: {shares}{more}", None, _round(share * entropy), reason


def _counts(parts: "Iterable[pl.Series]") -> Counter[str]:
    counts: Counter[str] = Counter()
    for part in parts:
        counts.update(dict(part.alias("value").cast(str).value_counts().iter_rows()))
    return counts


def _moments(parts: "Iterable[pl.Series]") -> tuple[int, float, float]:
    """Number, mean and standard deviation."""
    rows, mean, squares = 0, 0.0, 0.0
    for part in parts:
        values = part.cast(float).to_numpy()
        if not len(values):
            continue
        count, its_mean = len(values), float(values.mean())
        shift = its_mean - mean  # Chan's formula for the moments of parts
        squares += float(((values - its_mean) ** 2).sum()) + shift * shift * rows * count / (rows + count)
        mean += shift * count / (rows + count)
        rows += count
    return rows, mean, math.sqrt(squares / rows) if rows else 0.0


def _round(value: float) -> float:
    """Two significant digits: nobody wants to read more of a margin."""
    return float(f"{value:.2g}") if math.isfinite(value) else 0.0
