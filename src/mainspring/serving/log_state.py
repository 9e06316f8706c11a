"""How far the prediction log is, as the drainer writes it down and others read it.

Imports nothing heavy: gateway workers and `status` use it.
"""

from pathlib import Path

import msgspec

from mainspring.serving.spool_files import spool_files

STATE_FILE = "log.json"
SPOOL = "spool"


class LabelState(msgspec.Struct, frozen=True):
    """The labels of a model's predictions of the last week.

    Attributes:
        share: of the predictions, whose truth is known.
        delay_median, delay_90: seconds within which half, and nine tenths, of the known labels came.
    """

    predictions: int
    share: float
    delay_median: float | None
    delay_90: float | None


class LogState(msgspec.Struct):
    """What one gateway's drainer says of its work.

    Attributes:
        durability: `batch`, `strict` or `off`.
        stored: for each spool file, the bytes from its start that are in the tables (or made no sense).
        rows: that it stored since it began.
        waiting_rows: that it has read and not stored yet.
        committed_at: seconds since the epoch; `None` before the first commit.
        damaged_bytes, damaged_frames: what no frame or no record could be made of.
        trouble: why something cannot be stored at present, or nothing.
        labels: by model, once they were counted.
    """

    durability: str = "batch"
    stored: dict[str, int] = {}
    rows: int = 0
    waiting_rows: int = 0
    committed_at: float | None = None
    damaged_bytes: int = 0
    damaged_frames: int = 0
    trouble: str = ""
    labels: dict[str, LabelState] = {}


def write_state(folder: Path, state: LogState) -> None:
    """Replace the state of the gateway whose folder this is; no sync: after a power cut nobody asks for it."""
    draft = folder / f".{STATE_FILE}.draft"
    draft.write_bytes(msgspec.json.encode(state))
    draft.replace(folder / STATE_FILE)


def read_state(folder: Path) -> LogState:
    """The state of a gateway; that of one that never stored anything where there is none."""
    try:
        return msgspec.json.decode((folder / STATE_FILE).read_bytes(), type=LogState)
    except (OSError, msgspec.DecodeError):
        return LogState()


def waiting_bytes(folder: Path, state: LogState) -> int:
    """The bytes in a gateway's spool files that no table has yet."""
    waiting = 0
    for file in spool_files(folder / SPOOL):
        try:
            waiting += max(0, file.path.stat().st_size - state.stored.get(file.path.name, 0))
        except FileNotFoundError:
            continue  # stored in between
    return waiting
