"""Frames of feedback → rows of the models' tables of labels. Runs in the drainer, never in a gateway worker."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from mainspring.serving.feedback_record import FeedbackRecord, decode_feedback
from mainspring.serving.prediction_frames import DamagedFrame

if TYPE_CHECKING:
    import polars as pl

_MODEL = re.compile(r"[a-z][a-z0-9_-]{0,62}")  # as `Model` has it; it names the table


def read_feedback(frame: bytes) -> FeedbackRecord:
    """Raises `DamagedFrame`."""
    try:
        record = decode_feedback(frame)
    except (msgspec.DecodeError, ValueError, OverflowError, RecursionError) as error:
        raise DamagedFrame(f"feedback is not what it says: {error}") from error
    if not _MODEL.fullmatch(record.model):
        raise DamagedFrame("feedback is about no model")
    return record


def label_rows(frames: Sequence[bytes]) -> tuple[pl.DataFrame, int]:
    """The rows that these frames about one model are, and how many frames made no sense."""
    # Not before there is feedback: the drainer has to be small beside the gateway's workers.
    import polars as pl

    from mainspring.data.labels import LABEL_SCHEMA, label_frame

    tables, damaged = [pl.DataFrame(schema=LABEL_SCHEMA)], 0
    for frame in frames:
        try:
            said = read_feedback(frame)
        except DamagedFrame:
            damaged += 1
            continue
        tables.append(label_frame(said.messages, said.at))
    return pl.concat(tables), damaged
