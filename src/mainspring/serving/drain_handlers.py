"""Which kind of frame goes to which table, and as which rows: the place where a new kind is made known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from mainspring.domain.ports import Tables
from mainspring.domain.prediction_log import labels_table, predictions_table
from mainspring.features.push import pushed_table, record_rows
from mainspring.serving.feedback_record import KIND
from mainspring.serving.label_rows import label_rows, read_feedback
from mainspring.serving.prediction_frames import PREDICTION, DamagedFrame, Description, head_of
from mainspring.serving.prediction_rows import prediction_rows
from mainspring.serving.push_record import PUSH
from mainspring.serving.push_rows import pushed_rows, read_push

Frames = Sequence[tuple[bytes, Description | None]]
Offsets = Mapping[str, tuple[int, int]]


class Handler(Protocol):
    """What the drainer does with the frames of one kind."""

    def place(self, frame: bytes, known: Mapping[str, Description]) -> tuple[str, Description | None, int]:
        """The frame's table, the release it is about (where it is about one), and how many rows it holds.

        Args:
            known: the releases that the frame's file has described, by `model@number`.

        Raises:
            DamagedFrame: it makes no sense.
        """
        ...

    def rows(self, frames: Frames, present: Mapping[str, str]) -> tuple[Any, int]:
        """The rows of frames of one table, and how many made no sense.

        Args:
            present: the columns that the table has, and their kinds; empty where there is no table yet.
        """
        ...

    def store(self, tables: Tables, table: str, rows: Any, offsets: Offsets, *, exists: bool) -> int:
        """Add rows to their table together with the places up to which it has its writers' frames; how many.

        Args:
            rows: as the method of that name gives them.
            exists: whether the table is there.
        """
        ...


class _ByDay:
    """Adds Arrow tables that have a column `day`."""

    def store(self, tables: Tables, table: str, rows: Any, offsets: Offsets, *, exists: bool) -> int:
        if rows.num_rows or exists:
            tables.record(table, rows, partition="day", offsets=offsets)
        return int(rows.num_rows)


class Predictions(_ByDay):
    def place(self, frame: bytes, known: Mapping[str, Description]) -> tuple[str, Description | None, int]:
        ref, count = head_of(frame)
        description = known.get(ref)
        if description is None:
            raise DamagedFrame("an answer is of a release that its file does not describe")
        return predictions_table(description.model), description, count

    def rows(self, frames: Frames, present: Mapping[str, str]) -> tuple[Any, int]:
        return prediction_rows([(frame, about) for frame, about in frames if about is not None], present)


class Feedback(_ByDay):
    def place(self, frame: bytes, known: Mapping[str, Description]) -> tuple[str, Description | None, int]:  # noqa: ARG002
        said = read_feedback(frame)
        return labels_table(said.model), None, len(said.messages)

    def rows(self, frames: Frames, present: Mapping[str, str]) -> tuple[Any, int]:  # noqa: ARG002
        rows, damaged = label_rows([frame for frame, _ in frames])
        return rows.to_arrow(), damaged


class Pushes:
    """Rows for feature views; those whose ids their table has already are left out."""

    def place(self, frame: bytes, known: Mapping[str, Description]) -> tuple[str, Description | None, int]:  # noqa: ARG002
        said = read_push(frame)
        return pushed_table(said.view), None, len(said.rows)

    def rows(self, frames: Frames, present: Mapping[str, str]) -> tuple[Any, int]:  # noqa: ARG002
        return pushed_rows([frame for frame, _ in frames])

    def store(self, tables: Tables, table: str, rows: Any, offsets: Offsets, *, exists: bool) -> int:  # noqa: ARG002
        return record_rows(tables, table.removeprefix(pushed_table("")), rows, offsets=offsets).new


HANDLERS: dict[bytes, Handler] = {PREDICTION: Predictions(), KIND: Feedback(), PUSH: Pushes()}
