"""LitServe with batching: rows of waiting requests go through the original pipeline in one data frame.

`python litserve_server.py PORT FOLDER`
"""

import itertools
import pickle
import sys
from pathlib import Path

import litserve as ls
import pandas as pd


class Original(ls.LitAPI):
    def setup(self, device):  # noqa: ARG002
        self.model = pickle.loads((Path(sys.argv[2]) / "model.pkl").read_bytes())

    def decode_request(self, request):
        return request["rows"]

    def batch(self, inputs):
        self.sizes = [len(rows) for rows in inputs]
        return pd.DataFrame([row for rows in inputs for row in rows])

    def predict(self, frame):
        return self.model.predict_proba(frame).tolist()

    def unbatch(self, output):
        ends = list(itertools.accumulate(self.sizes))
        return [output[end - size : end] for size, end in zip(self.sizes, ends, strict=True)]

    def encode_response(self, output):
        return {"probabilities": output}


if __name__ == "__main__":
    api = Original(max_batch_size=64, batch_timeout=0.002)
    server = ls.LitServer(api, accelerator="cpu", workers_per_device=1)
    server.run(
        host="127.0.0.1",
        port=int(sys.argv[1]),
        num_api_servers=1,
        log_level="warning",
        access_log=False,
        generate_client_file=False,
    )
