"""Which column of a file of feedback is what."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mainspring.domain.feedback import RefusedField, outcome_name
from mainspring.domain.prediction_log import TRUTH
from mainspring.domain.release import Manifest
from mainspring.errors import SourceFormatError, UsageError


@dataclass(frozen=True, slots=True)
class Wanted:
    """The columns that the user names.

    Attributes:
        outcomes: name of an outcome → its column.
    """

    prediction_id: str | None = None
    key: str | None = None
    label: str | None = None
    outcomes: Mapping[str, str] = field(default_factory=dict)
    happened_at: str | None = None
    feedback_id: str | None = None

    def __post_init__(self) -> None:
        if self.prediction_id is not None and self.key is not None:
            raise UsageError("feedback is by prediction id or by key, not both", cure="give --id or --key")
        for name in self.outcomes:
            try:
                outcome_name(name)
            except RefusedField as error:
                raise UsageError(f"the outcome {error.problem}", cure=error.cure) from None
            if name == TRUTH:
                raise UsageError("`label` is no outcome but the target's truth", cure="give it with --label")


@dataclass(frozen=True, slots=True)
class FeedbackColumns:
    """Where each thing stands.

    Attributes:
        about: `prediction_id` or `key`, and
        about_column: where that stands.
        said: name (`label`, or that of an outcome) → column.
    """

    about: str
    about_column: str
    said: Mapping[str, str]
    happened_at: str | None
    feedback_id: str | None

    @property
    def names(self) -> tuple[str, ...]:
        """All columns that are read, each once."""
        names = [self.about_column, *self.said.values()]
        names += [name for name in (self.happened_at, self.feedback_id) if name is not None]
        return tuple(dict.fromkeys(names))


def choose_columns(file: str, names: Sequence[str], wanted: Wanted, manifest: Manifest) -> FeedbackColumns:
    """What the user names; what is not named is found by its usual name, or by that which training knew.

    Args:
        file: as the user knows it, for errors.
        names: its columns.

    Raises:
        SourceFormatError: a column that the user names, or one that is needed, is not there.
    """

    def named(column: str | None) -> str | None:
        if column is not None and column not in names:
            near = difflib.get_close_matches(column, names, 1)
            cure = f"did you mean {near[0]!r}?" if near else f"its columns are {_listed(names)}"
            raise SourceFormatError(
                f"{file} has no column {column!r}", cure=cure, where={"file": file, "column": column}
            )
        return column

    def usual(*columns: str | None) -> str | None:
        return next((column for column in columns if column is not None and column in names), None)

    prediction_id, key = named(wanted.prediction_id), named(wanted.key)
    if prediction_id is None and key is None:
        prediction_id = usual("prediction_id")
        key = None if prediction_id is not None else usual(manifest.key, "key")
    about = prediction_id or key
    if about is None:
        raise SourceFormatError(
            f"{file} does not tell what its rows are about",
            cure=f"name the column with --id (prediction ids) or --key; its columns are {_listed(names)}",
            where={"file": file},
        )
    label = named(wanted.label)
    if label is None and not wanted.outcomes:
        label = usual("label", manifest.target, *(() if manifest.output.classes else ("value",)))
        if label is None:
            raise SourceFormatError(
                f"{file} does not tell what came true",
                cure="name the column of the true "
                f"{manifest.target} with --label, or outcomes with --outcome; its columns are {_listed(names)}",
                where={"file": file},
            )
    said = {TRUTH: label} if label is not None else {}
    return FeedbackColumns(
        about="prediction_id" if prediction_id is not None else "key",
        about_column=about,
        said=said | {name: str(named(column)) for name, column in wanted.outcomes.items()},
        happened_at=named(wanted.happened_at) or usual("happened_at"),
        feedback_id=named(wanted.feedback_id) or usual("feedback_id"),
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
