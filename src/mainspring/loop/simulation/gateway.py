"""Answers recorded rows as a gateway would, and keeps them in the same tables by the same code."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from mainspring.data.labels import label_frame
from mainspring.domain.feedback import message
from mainspring.domain.prediction_log import Role, labels_table, predictions_table
from mainspring.domain.release import ReleaseRef
from mainspring.domain.routing import Assignment, Shadowing, assign
from mainspring.serving.personal import PersonalMask, personal_secret
from mainspring.serving.prediction_frames import Description, prediction_frame
from mainspring.serving.prediction_rows import prediction_rows
from mainspring.serving.router import event_of, routing_key
from mainspring.serving.upkeep import Upkeep

if TYPE_CHECKING:
    from mainspring.release.opening import OpenRelease
    from mainspring.workspace import Workspace

Floats = NDArray[np.float64]

_LATENCY = 1_000
"""Microseconds, of every answer: a simulation says nothing of how quick a release is."""
_MOST_OPEN = 4


@dataclass(frozen=True, slots=True)
class Heard:
    """What the clients heard.

    Attributes:
        outputs: [n, k] in the order of the classes.
        releases: [n], the number of the release that answered.
    """

    outputs: Floats
    releases: NDArray[np.int64]


class SimulatedGateway:
    """Follows the workspace's routes, as they are at each call; a context manager.

    Args:
        classes: the order of the outputs' columns; empty for a regression.
    """

    def __init__(self, workspace: Workspace, model: str, classes: Sequence[str]) -> None:
        self._workspace = workspace
        self._model = model
        self._classes = list(classes)
        self._open: dict[int, OpenRelease] = {}
        self._masks: dict[int, PersonalMask] = {}
        self._secret = personal_secret(workspace.keys)
        self._upkeep = Upkeep(workspace.tables, workspace.clock, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with ExitStack() as closing:
            for opened in self._open.values():
                closing.callback(opened.close)
            self._open = {}

    def answer(self, rows: pl.DataFrame, at: Sequence[datetime], ids: Sequence[str]) -> Heard:
        """Answer each row as a request of its own, and log it and its shadows.

        Args:
            rows: typed, with every column of the source.
        """
        route = self._workspace.records.routes().of(self._model)
        assert route is not None, "the first release is champion before anything is answered"
        keys = self._keys(rows, route.champion, ids)
        shadowing = Shadowing(route.traffic, self._model)
        places: dict[Assignment, list[int]] = {}
        for place, key in enumerate(keys):
            chosen = assign(route.traffic, route.champion, key, salt=self._model)
            places.setdefault(chosen, []).append(place)
            for number in shadowing.of(key, but=chosen.number):
                places.setdefault(Assignment(number, Role.SHADOW), []).append(place)
        heard = Heard(np.zeros((rows.height, len(self._classes) or 1)), np.zeros(rows.height, dtype=np.int64))
        frames: list[tuple[bytes, Description]] = []
        for one, where in places.items():
            outputs = self._ask(one.number, rows[where])
            frames += self._frames(one, rows[where], outputs, [at[n] for n in where], [ids[n] for n in where])
            if one.role is not Role.SHADOW:
                heard.outputs[where] = outputs[:, self._order(one.number)]
                heard.releases[where] = one.number
        self._record(frames)
        return heard

    def outputs(self, number: int, rows: pl.DataFrame) -> Floats:
        """What a release answers, in the order of the classes; nothing is kept of it."""
        return self._ask(number, rows)[:, self._order(number)]

    def learn(self, ids: Sequence[str], truth: Sequence[Any]) -> None:
        """What came true of these answers, received now."""
        said = [
            message(
                prediction_id=f"{name}/0",
                key=None,
                name="label",
                label=str(one) if self._classes else None,
                value=None if self._classes else float(one),
                happened_at=None,
                feedback_id=None,
            )
            for name, one in zip(ids, truth, strict=True)
        ]
        table = labels_table(self._model)
        rows = label_frame(said, self._workspace.clock.now())
        self._workspace.tables.record(table, rows, partition="day", offsets={})

    def tend(self) -> None:
        """Merge what was written in small pieces, as a gateway does now and then."""
        for table in (predictions_table(self._model), labels_table(self._model)):
            if self._workspace.tables.exists(table):
                self._upkeep.tend(table)

    def _keys(self, rows: pl.DataFrame, champion: int, ids: Sequence[str]) -> list[bytes]:
        field = self._opened(champion).manifest.key
        named = rows.select(field).to_dicts() if field is not None and field in rows.columns else [{}] * len(ids)
        return [routing_key({}, event_of([row], field), name) for row, name in zip(named, ids, strict=True)]

    def _frames(
        self, one: Assignment, rows: pl.DataFrame, outputs: Floats, at: Sequence[datetime], ids: Sequence[str]
    ) -> list[tuple[bytes, Description]]:
        from mainspring.release.wire import to_wire

        manifest = self._opened(one.number).manifest
        description, mask = Description.of(manifest), self._mask(one.number)
        wire = to_wire(rows, manifest.inputs)
        if manifest.key is not None and manifest.key in rows.columns:
            for row, key in zip(wire, rows.get_column(manifest.key).to_list(), strict=True):
                row.setdefault(manifest.key, key)
        return [
            (
                prediction_frame(
                    round(moment.timestamp() * 1_000_000),
                    description.ref.encode(),
                    name,
                    one.role,
                    one.arm or "",
                    _LATENCY,
                    [output],
                    msgspec.json.encode(kept),
                ),
                description,
            )
            for moment, name, output, kept in zip(at, ids, outputs.tolist(), mask(wire), strict=True)
        ]

    def _record(self, frames: Sequence[tuple[bytes, Description]]) -> None:
        tables, table = self._workspace.tables, predictions_table(self._model)
        present = tables.columns(table) if tables.exists(table) else {}
        rows, damaged = prediction_rows(frames, present)
        assert not damaged, "these frames are our own"
        tables.record(table, rows, partition="day", offsets={})

    def _ask(self, number: int, rows: pl.DataFrame) -> Floats:
        return self._opened(number).runtime.predict_frame(rows)

    def _order(self, number: int) -> list[int]:
        named = self._opened(number).manifest.output.classes
        return [named.index(label) for label in self._classes] if self._classes else [0]

    def _mask(self, number: int) -> PersonalMask:
        if number not in self._masks:
            manifest = self._opened(number).manifest
            self._masks[number] = PersonalMask(manifest.inputs, manifest.key, manifest.key_personal, self._secret)
        return self._masks[number]

    def _opened(self, number: int) -> OpenRelease:
        """The release; of several that were opened the one that was asked longest ago is closed again."""
        opened = self._open.pop(number, None)
        if opened is None:
            if len(self._open) >= _MOST_OPEN:
                self._open.pop(next(iter(self._open))).close()
            record = self._workspace.catalogue.find(ReleaseRef(self._model, number))
            opened = self._workspace.open_release(record)
        self._open[number] = opened
        return opened
