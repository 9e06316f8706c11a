"""One task of `benchmarks/features.py`, in a process of its own.

`features_ours.py snapshot|history|materialize|online` runs in a project's folder and prints its figures as JSON.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl

import mainspring
from features_data import FEATURES, KEYS, VIEWS
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
    joined = project.features.history(events, _NAMES, time="event_timestamp")
    seconds = time.perf_counter() - begun
    assert joined.width == events.width + VIEWS * FEATURES
    return {"history: seconds": seconds, "history: rows": float(joined.height)}


def materialize(project: Connection) -> dict[str, float]:
    begun = time.perf_counter()
    done = project.features.materialize(full=True)
    seconds = time.perf_counter() - begun
    return {"materialise: seconds": seconds, "materialise: keys": float(sum(one.keys for one in done))}


def online(project: Connection) -> dict[str, float]:
    """As the gateway does: key values in, feature values out."""
    from mainspring.features.keys import EntityKeys
    from mainspring.features.layout import key_fields, layout_of
    from mainspring.features.vectors import VectorCodec

    features, store = project.features, project._workspace.online
    definitions = [features.offline.definition(view) for view in features.views.values()]
    codecs = [VectorCodec(layout_of(definition)) for definition in definitions]
    keys = EntityKeys(key_fields(definitions[0]))

    def read(entities: Sequence[int]) -> list[dict[str, object]]:
        encoded = [keys.of_row({"entity": entity}) for entity in entities]
        rows: list[dict[str, object]] = [{} for _ in entities]
        now = time.time_ns() // 1_000
        found = store.read([(definition.id, encoded) for definition in definitions])
        for codec, vectors in zip(codecs, found, strict=True):
            for row, vector in zip(rows, vectors, strict=True):
                row.update(zip(codec.names, codec.read(vector, now)[1], strict=True))
        return rows

    assert None not in read([0])[0].values()
    return quantiles(read, KEYS, ones=5_000, hundreds=500)


TASKS: dict[str, Callable[[Connection], dict[str, float]]] = {
    "snapshot": snapshot,
    "history": history,
    "materialize": materialize,
    "online": online,
}

if __name__ == "__main__":
    with mainspring.connect(Path.cwd()) as connected:
        print(json.dumps(TASKS[sys.argv[1]](connected)))
