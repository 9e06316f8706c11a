"""Frames of feedback → rows of the models' tables of labels. Runs in the drainer, never in a gateway worker."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import polars as pl

from mainspring.data.labels import LABEL_SCHEMA, label_frame
from mainspring.serving.feedback_record import FeedbackRecord, decode_feedback
from mainspring.serving.prediction_frames import DamagedFrame


def feedback_model(frame: bytes) -> str:
    """The model that a frame is about. Raises `DamagedFrame`."""
    return _read(frame).model


def label_rows(frames: Sequence[bytes]) -> tuple[pl.DataFrame, int]:
    """The rows that these frames about one model are, and how many frames made no sense."""
    tables, damaged = [pl.DataFrame(schema=LABEL_SCHEMA)], 0
    for frame in frames:
        try:
            said = _read(frame)
        except DamagedFrame:
            damaged += 1
            continue
        tables.append(label_frame(said.messages, said.at))
    return pl.concat(tables), damaged


def _read(frame: bytes) -> FeedbackRecord:
    try:
        return decode_feedback(frame)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise DamagedFrame(f"feedback is not what it says: {error}") from error
