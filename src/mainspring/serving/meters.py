"""The gateway's metrics. Label values are bounded: only models and releases that were loaded, and our statuses.

A worker counts in plain numbers, which costs a request next to nothing, and writes them to a file of its own four
times a second. Any worker answers for all of them from those files; a worker that starts in the place of one that
died goes on with its counts.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from mainspring.serving.counts import (
    LATENCY,
    Counts,
    Spread,
    decode_counts,
    encode_counts,
    no_stages,
)
from mainspring.serving.log_state import read_state


class Meters:
    """What a worker counts.

    Args:
        folder: the folder of the counts of all workers.
        slot: the worker's place; a name where another process counts, too.

    Attributes:
        folder: as given.
    """

    def __init__(self, folder: Path, slot: int | str) -> None:
        self.folder = folder
        self._file = folder / f"{slot}.counts"
        self._counts = _read(self._file) or Counts()
        self._counts.in_flight = self._counts.connections = 0  # whatever the worker before us left
        self._written = b""
        self.batched = self._counts.batch_rows.add

    def taken(self) -> None:
        """A request is being answered; `left` follows."""
        self._counts.in_flight += 1

    def left(self) -> None:
        self._counts.in_flight -= 1

    @property
    def in_flight(self) -> int:
        """Requests of this worker being answered."""
        return self._counts.in_flight

    def answered(self, model: str, release: str, status: int, seconds: float) -> None:
        """Count one answer; `model` and `release` are empty where no release answered."""
        counts = self._counts
        spread = counts.seconds.get((model, release))
        if spread is None:
            if len(counts.seconds) >= _MOST_RELEASES:
                model, release = "other", "other"  # a year of releases must not swell the metrics
            spread = counts.seconds.setdefault((model, release), Spread.empty(LATENCY))
        spread.add(seconds)
        key = (model, release, _STATUS[status])
        counts.requests[key] = counts.requests.get(key, 0) + 1

    def staged(self, model: str, release: str, started: float, stages: tuple[float, ...], encoded: float) -> None:
        """Count how long each stage of an answer took.

        Args:
            started, encoded: seconds of the machine's clock at which the request began and its answer was ready.
            stages: as `Request.stages`.
        """
        spreads = self._counts.stages.get((model, release))
        if spreads is None:
            if len(self._counts.stages) >= _MOST_RELEASES:
                model, release = "other", "other"
            spreads = self._counts.stages.setdefault((model, release), no_stages())
        began, answered, logged = stages
        read, predict, log, encode = spreads
        read.add(began - started)
        predict.add(answered - began)
        log.add(logged - answered)
        encode.add(encoded - logged)

    def connected(self, connections: int) -> None:
        """Say how many connections are open."""
        self._counts.connections = connections

    def loaded(self, model: str, *, refused: bool) -> None:
        """Count one release that was loaded or refused."""
        key = (model, "refused" if refused else "loaded")
        self._counts.loads[key] = self._counts.loads.get(key, 0) + 1

    def unloaded(self, model: str) -> None:
        """Count one release that was put to sleep to keep the memory's budget."""
        key = (model, "unloaded")
        self._counts.loads[key] = self._counts.loads.get(key, 0) + 1

    def resident(self, size: int) -> None:
        """Say how many bytes the loaded releases take."""
        self._counts.resident = size

    def answered_as(self, model: str, release: str, role: str) -> None:
        """Count one request by the role in which a release answered it."""
        _add(self._counts.answers, (model, release, role), 1)

    def fell_back(self, model: str, release: str, reason: str) -> None:
        """Count one request that the champion answered in a challenger's place; `reason` is the error's kind."""
        _add(self._counts.fallbacks, (model, release, reason), 1)

    def shadowed(self, model: str, release: str, outcome: str, rows: int) -> None:
        """Count rows for a shadow: `sent` or `dropped` by the worker; what the shadow made of them by itself."""
        _add(self._counts.shadowed, (model, release, outcome), rows)

    def logged(self, rows: int) -> None:
        """Count predictions that were handed to the log."""
        self._counts.log_rows += rows

    def log_dropped(self, why: str) -> None:
        """Count one record that the log could not take."""
        self._counts.log_drops[why] = self._counts.log_drops.get(why, 0) + 1

    def log_health(self) -> dict[str, object]:
        """What this worker dropped, and what the drainer has trouble with."""
        trouble = read_state(self.folder.parent).trouble
        return {"dropped": sum(self._counts.log_drops.values()), "trouble": trouble}

    def fed_back(self, model: str, kind: str, messages: int) -> None:
        """Count messages of feedback that were kept; `kind` is `label` or `outcome`."""
        key = (model, kind)
        self._counts.feedback[key] = self._counts.feedback.get(key, 0) + messages

    def features_found(self, counts: Mapping[tuple[str, str], int]) -> None:
        """Count rows whose features were to be found, by view and what became of that."""
        for (view, outcome), rows in counts.items():
            key = view, outcome
            if key not in self._counts.features and len(self._counts.features) >= _MOST_LABELS:
                key = "other", outcome
            self._counts.features[key] = self._counts.features.get(key, 0) + rows

    def features_read(self, seconds: float) -> None:
        """Count how long a request waited for features."""
        self._counts.feature_seconds.add(seconds)

    def features_known(self, until: dict[str, int]) -> None:
        """Say by view up to when its rows are in the online store, in microseconds since the epoch."""
        self._counts.features_until = until

    def features_of(self) -> dict[str, dict[str, int]]:
        """What this worker counted of features, by view."""
        found: dict[str, dict[str, int]] = {}
        for (view, outcome), rows in self._counts.features.items():
            found.setdefault(view, {})[outcome] = rows
        return found

    def content(self) -> bytes:
        """The counts as they are now, for `write` and `everything`, which wait for the disk."""
        return encode_counts(self._counts)

    def write(self, own: bytes | None = None) -> None:
        """Let the other workers see the counts; no sync: after a power cut nobody asks for them.

        Args:
            own: as `everything` takes it.

        Raises:
            OSError: they cannot be written.
        """
        content = own or self.content()
        if content != self._written:
            draft = self._file.with_suffix(".draft")
            draft.write_bytes(content)
            draft.replace(self._file)
            self._written = content

    def everything(self, own: bytes | None = None) -> Counts:
        """What all workers counted; reads files.

        Args:
            own: the `content` of this one, for another thread than that which counts.
        """
        everything = decode_counts(own or self.content())
        for place in sorted(self.folder.glob("*.counts")):
            if place != self._file and (theirs := _read(place)) is not None:
                everything.merge(theirs)
        return everything


_MOST_RELEASES = 200
_MOST_LABELS = 1_000


def _add(counts: dict[tuple[str, str, str], int], key: tuple[str, str, str], number: int) -> None:
    if key not in counts and len(counts) >= _MOST_LABELS:
        key = ("other", "other", key[2])
    counts[key] = counts.get(key, 0) + number


_STATUS = {status: str(status) for status in range(100, 600)}


def _read(place: Path) -> Counts | None:
    try:
        return decode_counts(place.read_bytes())
    except (OSError, msgspec.DecodeError):
        return None  # not written yet
