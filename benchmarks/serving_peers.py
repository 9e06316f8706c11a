"""The servers that are measured side by side: how each is started, what it is sent, and what it answers."""

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from environments import Environment, NoEnvironment, environment
from pipeline import free_port
from processes import MAINSPRING

MODEL = "adclick"
PEERS = Path(__file__).parent / "peers"
_UVICORN = ("uvicorn", "uvloop", "httptools")

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Peer:
    """A server.

    Attributes:
        command: the program that listens on a port of the loopback interface, given its environment and the port.
        path: that takes the rows.
        body: the document for some rows.
        probabilities: of the positive class, of each row, from the answer's document; `None` answers nothing.
        requirements: of its environment; none for ours, which runs in this one.
        with_model: it opens the original estimator.
        prepare: run once, with its environment and the folder of the model's files.
        variables: of its processes' environment, given the folder.
        ours: one of Mainspring's; else a peer.
        batching: a peer that answers waiting requests together.
    """

    name: str
    command: Callable[[Environment | None, int, Path], list[str]]
    path: str
    body: Callable[[Rows], Any]
    probabilities: Callable[[Any], list[float]] | None
    requirements: tuple[str, ...] = ()
    with_model: bool = True
    prepare: Callable[[Environment, Path], None] = lambda environment, folder: None  # noqa: ARG005
    variables: Callable[[Path], dict[str, str]] = field(default=lambda folder: {})  # noqa: ARG005
    ours: bool = False
    batching: bool = False

    def make(self, name: str, folder: Path) -> Environment | None:
        """Its environment, with all that it needs there.

        Raises:
            NoEnvironment: it cannot be had here.
        """
        if self.ours:
            return None
        made = environment(name, self.requirements, with_model=self.with_model)
        try:
            self.prepare(made, folder)
        except subprocess.CalledProcessError as error:
            raise NoEnvironment(f"{self.name} cannot be prepared: {error.stderr.strip()[-600:]}") from error
        return made


def _one_or_many(rows: Rows) -> Any:
    return rows[0] if len(rows) == 1 else list(rows)


def _rows(rows: Rows) -> Any:
    return {"rows": list(rows)}


def _native(document: Any) -> list[float]:
    return [one["probabilities"]["1"] for one in document["predictions"]]


def _positive(outputs: Any) -> list[float]:
    return [row[1] for row in outputs]


def _script(name: str) -> Callable[[Environment | None, int, Path], list[str]]:
    def command(environment: Environment | None, port: int, folder: Path) -> list[str]:
        assert environment is not None
        return [environment.python, str(PEERS / name), str(port), str(folder)]

    return command


def _serve(_environment: Environment | None, port: int, _folder: Path) -> list[str]:
    return [MAINSPRING, "serve", "--port", str(port)]


def _bentoml(environment: Environment | None, port: int, _folder: Path) -> list[str]:
    assert environment is not None
    options = [
        "--working-dir",
        str(PEERS),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--quiet",
        "--do-not-track",
    ]
    return [environment.tool("bentoml"), "serve", "bentoml_service:Original", *options]


def _mlflow(environment: Environment | None, port: int, folder: Path) -> list[str]:
    assert environment is not None
    options = ["--env-manager", "local", "--workers", "1", "--port", str(port)]
    return [environment.tool("mlflow"), "models", "serve", "--model-uri", str(folder / "mlflow"), *options]


def _save_for_mlflow(environment: Environment, folder: Path) -> None:
    shutil.rmtree(folder / "mlflow", ignore_errors=True)
    command = [environment.python, str(PEERS / "mlflow_model.py"), str(folder)]
    subprocess.run(command, check=True, capture_output=True, text=True)


def _mlserver(environment: Environment | None, port: int, folder: Path) -> list[str]:
    assert environment is not None
    # MLServer reads its port from a file only.
    settings = {
        "host": "127.0.0.1",
        "http_port": port,
        "grpc_port": free_port(),
        "metrics_port": free_port(),
        "parallel_workers": 0,
        "debug": False,
        "use_structured_logging": False,
    }
    (folder / "mlserver" / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    return [environment.tool("mlserver"), "start", str(folder / "mlserver")]


def _configure_mlserver(_environment: Environment, folder: Path) -> None:
    place = folder / "mlserver"
    place.mkdir(exist_ok=True)
    shutil.copy(folder / "model.pkl", place / "model.pickle")
    settings = {
        "name": MODEL,
        "implementation": "mlserver_sklearn.SKLearnModel",
        "max_batch_size": 64,
        "max_batch_time": 0.005,
        "parameters": {"uri": "./model.pickle", "content_type": "pd", "extra": {"predict_fn": "predict_proba"}},
    }
    (place / "model-settings.json").write_text(json.dumps(settings), encoding="utf-8")


def _tensors(rows: Rows) -> Any:
    inputs = []
    for name in rows[0]:
        values = [row[name] for row in rows]
        kind = {int: "INT64", float: "FP64", str: "BYTES"}[type(values[0])]
        tensor: dict[str, Any] = {"name": name, "shape": [len(rows), 1], "datatype": kind, "data": values}
        if kind == "BYTES":
            tensor["parameters"] = {"content_type": "str"}
        inputs.append(tensor)
    return {"parameters": {"content_type": "pd"}, "inputs": inputs}


def _of_tensor(document: Any) -> list[float]:
    return list(document["outputs"][0]["data"][1::2])


OURS, OURS_OFF = "mainspring", "mainspring, no log"
BEST, ECHO, FASTAPI = "written by hand", "bare echo", "FastAPI + pandas"

_ALL = (
    Peer(OURS, _serve, f"/predict/{MODEL}", _one_or_many, _native, ours=True),
    Peer(
        OURS_OFF,
        _serve,
        f"/predict/{MODEL}",
        _one_or_many,
        _native,
        variables=lambda _: {"MAINSPRING_LOG_DURABILITY": "off"},
        ours=True,
    ),
    Peer(
        BEST,
        _script("handwritten.py"),
        "/predict",
        _one_or_many,
        _native,
        (*_UVICORN, "msgspec", "numpy", "onnxruntime"),
        with_model=False,
    ),
    Peer(ECHO, _script("echo.py"), "/", _one_or_many, None, _UVICORN, with_model=False),
    Peer(FASTAPI, _script("fastapi_pandas.py"), "/predict", list, _positive, ("fastapi", *_UVICORN)),
    Peer(
        "LitServe",
        _script("litserve_server.py"),
        "/predict",
        _rows,
        lambda document: _positive(document["probabilities"]),
        ("litserve",),
        batching=True,
    ),
    Peer(
        "BentoML",
        _bentoml,
        "/predict",
        _rows,
        _positive,
        ("bentoml",),
        variables=lambda folder: {"BENCHMARK_FOLDER": str(folder), "BENTOML_HOME": str(folder / "bentoml")},
        batching=True,
    ),
    Peer(
        "MLServer",
        _mlserver,
        f"/v2/models/{MODEL}/infer",
        _tensors,
        _of_tensor,
        ("mlserver", "mlserver-sklearn"),
        prepare=_configure_mlserver,
        batching=True,
    ),
    Peer(
        "MLflow",
        _mlflow,
        "/invocations",
        lambda rows: {"dataframe_split": {"columns": list(rows[0]), "data": [list(row.values()) for row in rows]}},
        lambda document: _positive(document["predictions"]),
        ("mlflow",),
        prepare=_save_for_mlflow,
    ),
)
ALL = {peer.name: peer for peer in _ALL}
FAST = (OURS, OURS_OFF, BEST, ECHO)


def short(name: str) -> str:
    """The name as that of a folder, e.g. `fastapi-pandas`."""
    return "-".join("".join(c if c.isalnum() else " " for c in name.lower()).split())
