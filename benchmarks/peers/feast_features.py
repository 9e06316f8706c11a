"""The same tasks with Feast: `feast_features.py history|materialize|online dask|duckdb`, in the data's folder.

Prints its figures as JSON; `feast_features.py history-values|online-values dask|duckdb FILE` writes the values
themselves. Definitions and calls are those of its guide.
"""

import json
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from feast import FeatureStore

sys.path.append(str(Path(__file__).parent.parent))
from features_timing import quantiles

VIEWS, FEATURES, KEYS, COMPARED = 3, 10, 50_000, 25
NAMES = [f"view_{view}:f{place}" for view in range(VIEWS) for place in range(FEATURES)]


def open_store(offline: str) -> "FeatureStore":
    from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
    from feast.types import Float64

    folder = Path.cwd() / f"feast-{offline}"
    folder.mkdir(exist_ok=True)
    config = RepoConfig(
        project="features",
        provider="local",
        registry=str(folder / "registry.db"),
        online_store={"type": "sqlite", "path": str(folder / "online.db")},
        offline_store={"type": offline},
        entity_key_serialization_version=3,
    )
    store = FeatureStore(config=config)
    entity = Entity(name="entity", join_keys=["entity"], value_type=ValueType.INT64)
    views = [
        FeatureView(
            name=f"view_{number}",
            entities=[entity],
            ttl=timedelta(days=365),
            schema=[Field(name=f"f{place}", dtype=Float64) for place in range(FEATURES)],
            source=FileSource(
                name=f"source_{number}",
                path=str(Path.cwd() / f"view_{number}.parquet"),
                timestamp_field="event_timestamp",
                created_timestamp_column="created",
            ),
        )
        for number in range(VIEWS)
    ]
    store.apply([entity, *views])
    return store


def history(store: "FeatureStore") -> dict[str, float]:
    events = pd.read_parquet("events.parquet")
    begun = time.perf_counter()
    joined = _joined(store, events)
    return {"history: seconds": time.perf_counter() - begun, "history: rows": float(len(joined))}


def history_values(store: "FeatureStore") -> dict[str, float]:
    _joined(store, pd.read_parquet("events.parquet")).to_parquet(sys.argv[3])
    return {}


def _joined(store: "FeatureStore", events: pd.DataFrame) -> pd.DataFrame:
    joined: pd.DataFrame = store.get_historical_features(events, NAMES, full_feature_names=True).to_df()
    return joined


def materialize(store: "FeatureStore") -> dict[str, float]:
    now = datetime.now(UTC)
    begun = time.perf_counter()
    store.materialize(now - timedelta(days=365), now)
    return {"materialise: seconds": time.perf_counter() - begun}


def online(store: "FeatureStore") -> dict[str, float]:
    def read(entities: Sequence[int]) -> object:
        rows = [{"entity": entity} for entity in entities]
        return store.get_online_features(NAMES, rows, full_feature_names=True).to_dict()

    first = read([0])
    assert all(values[0] is not None for name, values in first.items() if name != "entity")
    return quantiles(read, KEYS, ones=500, hundreds=50)


def online_values(store: "FeatureStore") -> dict[str, float]:
    rows = [{"entity": entity} for entity in range(0, KEYS, COMPARED)]
    store.get_online_features(NAMES, rows, full_feature_names=True).to_df().to_parquet(sys.argv[3])
    return {}


if __name__ == "__main__":
    tasks = {
        "history": history,
        "materialize": materialize,
        "online": online,
        "history-values": history_values,
        "online-values": online_values,
    }
    print(json.dumps(tasks[sys.argv[1]](open_store(sys.argv[2]))))
