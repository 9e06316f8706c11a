"""How the prediction log of a workspace stands, over all its gateways; for `status`."""

from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from mainspring.serving.counts import Counts, decode_counts
from mainspring.serving.log_state import STATE_FILE, read_state, waiting_bytes
from mainspring.serving.spool_files import spool_files


@dataclass(frozen=True, slots=True)
class LogReport:
    """Attributes:
    durability: as set: `batch`, `strict` or `off`.
    in_force: that of the gateways that wrote last, where it is another one; they take a new one when restarted.
    waiting_bytes: in spool files, on their way to the tables.
    waiting_rows: of these, the predictions and labels that a drainer has read.
    drops: records that the log could not take since their gateway started, by reason.
    damaged_records, damaged_bytes: what no row could be made of.
    troubles: why something cannot be stored at present.
    """

    durability: str
    in_force: tuple[str, ...] = ()
    waiting_bytes: int = 0
    waiting_rows: int = 0
    drops: dict[str, int] = field(default_factory=dict)
    damaged_records: int = 0
    damaged_bytes: int = 0
    troubles: tuple[str, ...] = ()

    @property
    def explanation(self) -> str:
        """What the durability means."""
        return {
            "batch": "batch: durable within 100 ms of the answer",
            "strict": "strict: durable before the answer",
        }.get(self.durability, "off: predictions are not kept")


def log_report(gateways: Path, durability: str) -> LogReport:
    """Look at the folders of all gateways.

    Args:
        gateways: the workspace's folder of gateways.
        durability: as set.
    """
    folders = [folder for folder in sorted(gateways.glob("*")) if folder.is_dir()]
    drops: dict[str, int] = {}
    for counts in (_counts(place) for folder in folders for place in sorted(folder.glob("metrics/*.counts"))):
        for why, number in counts.log_drops.items():
            drops[why] = drops.get(why, 0) + number
    states = [(folder, read_state(folder)) for folder in folders if (folder / STATE_FILE).exists()]
    # Of a gateway that has stopped and has nothing left, what was in force says nothing any more.
    others = {state.durability for folder, state in states if spool_files(folder / "spool")} - {durability}
    return LogReport(
        durability=durability,
        in_force=tuple(sorted(others)),
        waiting_bytes=sum(waiting_bytes(folder, read_state(folder)) for folder in folders),
        waiting_rows=sum(state.waiting_rows for _, state in states),
        drops=drops,
        damaged_records=sum(state.damaged_frames for _, state in states),
        damaged_bytes=sum(state.damaged_bytes for _, state in states),
        troubles=tuple(sorted({state.trouble for _, state in states if state.trouble})),
    )


def _counts(place: Path) -> Counts:
    try:
        return decode_counts(place.read_bytes())
    except (OSError, msgspec.DecodeError):
        return Counts()  # being written
