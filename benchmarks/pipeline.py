"""Seconds from a CSV file to the first HTTP answer, beside a plain script: `make benchmark-pipeline`.

Both sides fit the same fixed list of trials (each scored on three folds) on the adult data, track them in MLflow,
fit the best once more on all rows, register it, start a server and ask it for one row; in turn, three rounds each.
"""

import argparse
import http.client
import json
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import fixed_trials
from harness import Report, data_folder, interleaved
from processes import MAINSPRING, mainspring, run, running
from projects import declare

ROW: dict[str, Any] = {
    "age": 39,
    "workclass": "State-gov",
    "fnlwgt": 77516,
    "education": "Bachelors",
    "education_num": 13,
    "marital_status": "Never-married",
    "occupation": "Adm-clerical",
    "relationship": "Not-in-family",
    "race": "White",
    "sex": "Male",
    "capital_gain": 2174,
    "capital_loss": 0,
    "hours_per_week": 40,
    "native_country": "United-States",
}
_CANDIDATE = """

@model.candidate
def fixed_{number}(trial):
    return pipeline({parameters!r})
"""


def ours(csv: Path) -> dict[str, float]:
    """`init`, the fixed candidates put in the place of its own, `run`, `serve`, one request."""
    with tempfile.TemporaryDirectory(prefix="pipeline-") as place:
        folder = Path(place)
        init = mainspring("init", ".", "--data", str(csv), "--target", fixed_trials.TARGET, folder=folder)
        put_fixed_trials(folder / "model.py")
        trained = mainspring("run", "--trials", str(len(fixed_trials.TRIALS)), folder=folder)
        model, port = trained.document["release"]["model"], free_port()
        assert_fitted_once_each(folder)
        start = time.perf_counter()
        with running([MAINSPRING, "serve", "--port", str(port)], folder) as (server, memory):
            first_answer(port, f"/predict/{model}", ROW, server)
            serve_seconds = time.perf_counter() - start
    return {
        "seconds": init.seconds + trained.seconds + serve_seconds,
        "init_seconds": init.seconds,
        "run_seconds": trained.seconds,
        "serve_seconds": serve_seconds,
        "peak_rss_mb": max(init.memory.rss, trained.memory.rss, memory.rss),
        "peak_pss_mb": max(init.memory.pss, trained.memory.pss, memory.pss),
        "server_rss_mb": memory.rss,
    }


def plain(csv: Path) -> dict[str, float]:
    """The script, `mlflow models serve`, one request."""
    variables = {"MLFLOW_TRACKING_URI": "sqlite:///mlflow.db"}
    with tempfile.TemporaryDirectory(prefix="pipeline-") as place:
        folder, port = Path(place), free_port()
        script = str(Path(__file__).with_name("plain_pipeline.py"))
        trained = run([sys.executable, script, str(csv)], folder, variables)
        bare = json.loads(trained.output.strip().splitlines()[-1])["bare_seconds"]
        command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", "models:/adult@champion"]
        start = time.perf_counter()
        with running([*command, "--env-manager", "local", "-p", str(port)], folder, variables) as (server, memory):
            first_answer(port, "/invocations", {"dataframe_records": [ROW]}, server)
            serve_seconds = time.perf_counter() - start
    return {
        "seconds": trained.seconds + serve_seconds,
        "script_seconds": trained.seconds,
        "bare_training_seconds": bare,
        "serve_seconds": serve_seconds,
        "peak_rss_mb": max(trained.memory.rss, memory.rss),
        "peak_pss_mb": max(trained.memory.pss, memory.pss),
        "server_rss_mb": memory.rss,
    }


def put_fixed_trials(file: Path) -> None:
    """Keep the declaration that `init` wrote, and put the fixed list in the place of its candidates."""
    declare(file, seed="0")
    text = file.read_text(encoding="utf-8")
    declaration = text[: text.index("@model.candidate")].rstrip()
    candidates = "".join(
        _CANDIDATE.format(number=number, parameters=parameters)
        for number, parameters in enumerate(fixed_trials.TRIALS)
    )
    shared = Path(fixed_trials.__file__).read_text(encoding="utf-8").partition("import itertools")
    file.write_text(f"{declaration}\n\n{shared[1]}{shared[2]}{candidates}", encoding="utf-8")


def assert_fitted_once_each(folder: Path) -> None:
    """The tracked trials are the fixed list, each once."""
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{folder / '.mainspring' / 'mlflow.db'}")
    runs = mlflow.search_runs(search_all_experiments=True)
    tried = sorted(runs["params.candidate"][runs["tags.mlflow.parentRunId"].notna()])
    if tried != sorted(f"fixed_{number}" for number in range(len(fixed_trials.TRIALS))):
        raise RuntimeError(f"the list was not fitted as it stands: {tried}")


def first_answer(port: int, path: str, body: Any, server: Any) -> None:
    """Ask until the server answers with 200.

    Raises:
        RuntimeError: it ended, or did not answer within two minutes.
    """
    content, deadline = json.dumps(body).encode(), time.monotonic() + 120
    while time.monotonic() < deadline and server.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request("POST", path, content, {"content-type": "application/json"})
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass  # it does not listen yet
        finally:
            connection.close()
        time.sleep(0.05)
    raise RuntimeError("the server gave no answer")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    csv = data_folder() / "adult" / "adult_train.csv"
    sides = {"mainspring": lambda: ours(csv), "scikit-learn + MLflow": lambda: plain(csv)}
    report = Report("pipeline")
    report.figures = interleaved(sides, parser.parse_args().rounds)
    us, them = report.figures["mainspring"], report.figures["scikit-learn + MLflow"]
    bare = them["bare_training_seconds"]
    allowed = round(0.25 * bare + 5, 2)
    report.figures["overhead"] = {
        "seconds": round(us["run_seconds"] - bare, 2),
        "share_of_bare_training": round(us["run_seconds"] / bare - 1, 4),
        "allowed_seconds": allowed,
    }
    print(f"{'':28}{'mainspring':>12}{'plain':>12}")
    for name, key in (
        ("CSV to first answer, s", "seconds"),
        ("start of the server, s", "serve_seconds"),
        ("peak memory, MB", "peak_rss_mb"),
        ("server's memory, MB", "server_rss_mb"),
    ):
        print(f"{name:28}{us[key]:12.1f}{them[key]:12.1f}")
    print(f"{'bare training, s':28}{'':12}{bare:12.1f}")
    name = "adult, the same fixed trials: seconds of `run` over the bare training"
    report.check(name, report.figures["overhead"]["seconds"], allowed, "at_most")
    return 0 if report.write() else 1


if __name__ == "__main__":
    sys.exit(main())
