"""What gateway workers count, as plain numbers that add up."""

from bisect import bisect_left

import msgspec

LATENCY = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)  # seconds
STAGE = (0.00001, 0.00002, 0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0)
STAGES = ("read", "predict", "log", "encode")
ROWS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 1024.0, 4096.0, 10_000.0)


class Spread(msgspec.Struct):
    """A histogram's numbers: how many values fell into each bucket, the last one open, and their sum."""

    bounds: tuple[float, ...]
    counts: list[int]
    total: float = 0.0

    @classmethod
    def empty(cls, bounds: tuple[float, ...]) -> "Spread":
        return cls(bounds, [0] * (len(bounds) + 1))

    def add(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def merge(self, other: "Spread") -> None:
        self.counts = [ours + theirs for ours, theirs in zip(self.counts, other.counts, strict=True)]
        self.total += other.total

    def cumulative(self) -> list[tuple[str, float]]:
        """Upper bound and number of values up to it, as Prometheus wants them.

        Examples:
            >>> spread = Spread.empty((1.0, 2.0))
            >>> for value in (0.5, 2.0, 7.0):
            ...     spread.add(value)
            >>> spread.cumulative()
            [('1.0', 1.0), ('2.0', 2.0), ('+Inf', 3.0)]
        """
        found, so_far = [], 0.0
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            so_far += count
            found.append((bound, so_far))
        return found


class Counts(msgspec.Struct):
    """What one worker, or all of them, counted.

    Attributes:
        requests: by model, release and status.
        seconds: latency by model and release.
        stages: of that, by stage: until the release began (body, parsing, routing), its answer, log, encoding.
        loads: by model and outcome.
        log_rows: predictions handed to the log.
        log_drops: records that the log could not take, by reason.
        answers: by model, release and role.
        fallbacks: requests that the champion answered because a challenger did not, by model, release and reason.
        shadowed: rows for shadows, by model, release and what became of them.
        feedback: messages of feedback that were kept, by model and kind.
        resident: bytes that the loaded releases take.
        features: rows whose features were to be found, by view and what became of that.
        feature_seconds: how long requests waited for that.
        features_until: by view, up to when its rows are in the online store, in microseconds since the epoch.
    """

    requests: dict[tuple[str, str, str], int] = msgspec.field(default_factory=dict)
    seconds: dict[tuple[str, str], Spread] = msgspec.field(default_factory=dict)
    stages: dict[tuple[str, str], tuple[Spread, ...]] = msgspec.field(default_factory=dict)
    loads: dict[tuple[str, str], int] = msgspec.field(default_factory=dict)
    batch_rows: Spread = msgspec.field(default_factory=lambda: Spread.empty(ROWS))
    log_rows: int = 0
    log_drops: dict[str, int] = msgspec.field(default_factory=dict)
    in_flight: int = 0
    connections: int = 0
    answers: dict[tuple[str, str, str], int] = msgspec.field(default_factory=dict)
    fallbacks: dict[tuple[str, str, str], int] = msgspec.field(default_factory=dict)
    shadowed: dict[tuple[str, str, str], int] = msgspec.field(default_factory=dict)
    feedback: dict[tuple[str, str], int] = msgspec.field(default_factory=dict)
    resident: int = 0
    features: dict[tuple[str, str], int] = msgspec.field(default_factory=dict)
    feature_seconds: Spread = msgspec.field(default_factory=lambda: Spread.empty(STAGE))
    features_until: dict[str, int] = msgspec.field(default_factory=dict)

    def merge(self, other: "Counts") -> None:
        """Add the other's numbers to these."""
        for request, number in other.requests.items():
            self.requests[request] = self.requests.get(request, 0) + number
        for load, number in other.loads.items():
            self.loads[load] = self.loads.get(load, 0) + number
        for labels, spread in other.seconds.items():
            self.seconds.setdefault(labels, Spread.empty(LATENCY)).merge(spread)
        for labels, spreads in other.stages.items():
            ours = self.stages.setdefault(labels, no_stages())
            for one, theirs in zip(ours, spreads, strict=True):
                one.merge(theirs)
        self.batch_rows.merge(other.batch_rows)
        for mine, more in (
            (self.answers, other.answers),
            (self.fallbacks, other.fallbacks),
            (self.shadowed, other.shadowed),
        ):
            for key, number in more.items():
                mine[key] = mine.get(key, 0) + number
        for about, number in other.feedback.items():
            self.feedback[about] = self.feedback.get(about, 0) + number
        for found, number in other.features.items():
            self.features[found] = self.features.get(found, 0) + number
        self.feature_seconds.merge(other.feature_seconds)
        for view, until in other.features_until.items():
            self.features_until[view] = max(until, self.features_until.get(view, until))
        self.resident += other.resident
        self.in_flight += other.in_flight
        self.log_rows += other.log_rows
        for why, number in other.log_drops.items():
            self.log_drops[why] = self.log_drops.get(why, 0) + number
        self.connections += other.connections


def no_stages() -> tuple[Spread, ...]:
    """A histogram for each stage."""
    return tuple(Spread.empty(STAGE) for _ in STAGES)


def encode_counts(counts: Counts) -> bytes:
    return msgspec.msgpack.encode(counts)


def decode_counts(content: bytes) -> Counts:
    """Raises `msgspec.DecodeError` where these are no counts of this version."""
    return msgspec.msgpack.decode(content, type=Counts)
