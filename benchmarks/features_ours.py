"""One task of `benchmarks/features.py`, in a process of its own.

`features_ours.py snapshot|history|materialize|online` runs in a project's folder and prints its figures as JSON;
`features_ours.py history-values|online-values FILE` writes the values themselves.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path

import polars as pl

import mainspring
from features_data import COMPARED, FEATURES, KEYS, VIEWS
from features_timing import quantiles
from mainspring.connection import Connection

_NAMES = [f"view_{number}" for number in range(VIEWS)]


def snapshot(project: Connection) -> dict[str, float]:
    """What the first one that reads the sources pays, once."""
    begun = time.perf_counter()
    for view in project.features.views.values():
        project.features.offline.take(view)
    return {"snapshots: seconds": time.perf_counter() - begun}


def history(project: Connection) -> dict[str, float]:
    events = pl.read_parquet("events.parquet")
    begun = time.perf_counter()
    joined = _joined(project, events)
    seconds = time.perf_counter() - begun
    assert joined.width == events.width + VIEWS * FEATURES
    return {"history: seconds": seconds, "history: rows": float(joined.height)}


def history_values(project: Connection) -> dict[str, float]:
    _joined(project, pl.read_parquet("events.parquet")).write_parquet(sys.argv[2])
    return {}


def _joined(project: Connection, events: pl.DataFrame) -> pl.DataFrame:
    return project.features.history(events, _NAMES, time="event_timestamp")


def materialize(project: Connection) -> dict[str, float]:
    begun = time.perf_counter()
    done = project.features.materialize(full=True)
    seconds = time.perf_counter() - begun
    return {"materialise: seconds": seconds, "materialise: keys": float(sum(one.keys for one in done))}


def online(project: Connection) -> dict[str, float]:
    return quantiles(_reader(project), KEYS, ones=5_000, hundreds=500)


def online_values(project: Connection) -> dict[str, float]:
    pl.DataFrame(_reader(project)(range(0, KEYS, COMPARED))).write_parquet(sys.argv[2])
    return {}


def _reader(project: Connection) -> Callable[[Sequence[int]], list[dict[str, object]]]:
    """As the gateway does: key values in, rows with the features out."""
    from mainspring.features.keys import EntityKeys
    from mainspring.features.layout import key_fields, layout_of
    from mainspring.features.vectors import VectorCodec

    features, store = project.features, project._workspace.online
    definitions = [features.offline.definition(view) for view in features.views.values()]
    codecs = [VectorCodec(layout_of(definition)) for definition in definitions]
    views = [definition.id for definition in definitions]
    names = ["entity", *(one.column(name) for one in definitions for name in one.names)]
    keys = EntityKeys(key_fields(definitions[0]))

    def read(entities: Sequence[int]) -> list[dict[str, object]]:
        encoded = [keys.of_row({"entity": entity}) for entity in entities]
        now = time.time_ns() // 1_000
        found = store.read([(view, encoded) for view in views])
        values = [
            [codec.read(vector, now)[1] for vector in vectors]
            for codec, vectors in zip(codecs, found, strict=True)
        ]
        return [
            dict(zip(names, [entity, *chain.from_iterable(row)], strict=True))
            for entity, *row in zip(entities, *values, strict=True)
        ]

    (first,) = read([0])
    assert list(first) == names
    assert None not in first.values()
    return read


TASKS: dict[str, Callable[[Connection], dict[str, float]]] = {
    "snapshot": snapshot,
    "history": history,
    "materialize": materialize,
    "online": online,
    "history-values": history_values,
    "online-values": online_values,
}

if __name__ == "__main__":
    with mainspring.connect(Path.cwd()) as connected:
        assert len(connected.features.views) == VIEWS  # declared, and the registry opened, before the time is
        assert connected.features.offline is not None  # taken, as Feast's are by `apply`
        print(json.dumps(TASKS[sys.argv[1]](connected)))
