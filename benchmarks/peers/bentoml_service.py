"""BentoML with adaptive batching: rows of waiting requests go through the original pipeline in one data frame.

`bentoml serve bentoml_service:Original`, with the folder in BENCHMARK_FOLDER.
"""

import os
import pickle
from pathlib import Path
from typing import Any

import bentoml
import pandas as pd


@bentoml.service(workers=1, threads=1, traffic={"timeout": 30}, logging={"access": {"enabled": False}})
class Original:
    def __init__(self) -> None:
        self.model = pickle.loads((Path(os.environ["BENCHMARK_FOLDER"]) / "model.pkl").read_bytes())

    @bentoml.api(batchable=True, max_batch_size=1_000, max_latency_ms=1_000)
    def predict(self, rows: list[dict[str, Any]]) -> list[list[float]]:
        return self.model.predict_proba(pd.DataFrame(rows)).tolist()
