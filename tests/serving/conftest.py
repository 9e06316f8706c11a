"""A small workspace with sealed releases, and a gateway in processes of its own."""

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mainspring.domain.ids import digest_bytes
from mainspring.domain.release import (
    MANIFEST_FORMAT,
    Alias,
    InputField,
    Manifest,
    OutputSpec,
    ReleaseRecord,
    RuntimeKind,
    RuntimeSpec,
    ViewInput,
)
from mainspring.domain.routing import Traffic
from mainspring.domain.schema import Kind
from mainspring.domain.task import Task
from mainspring.release.encoding import Encoder
from mainspring.release.manifest import encode_manifest
from mainspring.release.signing import sign, signing_key
from mainspring.stores.records import SqlRecords

HERE = Path(__file__).parent
INPUTS = (
    InputField("age", Kind.NUMBER),
    InputField("hours", Kind.INTEGER),
    InputField("job", Kind.CATEGORY, vocabulary=("clerk", "pilot"), categories=("clerk", "pilot")),
)
WEIGHTS = np.array([0.01, -0.02, 0.5])
ROW: dict[str, Any] = {"age": 31.5, "hours": 40, "job": "pilot"}
CLASSES = {
    Task.BINARY: ("<=50K", ">50K"),
    Task.MULTICLASS: ("bird", "cat", "dog"),
    Task.REGRESSION: (),
}


def expected(
    number: int, rows: list[dict[str, Any]], task: Task = Task.BINARY, inputs: tuple[InputField, ...] = INPUTS
) -> np.ndarray:
    """The law of these tests' releases; each number has a bias of its own, so an answer tells who gave it."""
    matrix = np.nan_to_num(Encoder(inputs).rows_to_matrix(rows))
    score = matrix @ _weights(inputs) + number / 7
    if task is Task.REGRESSION:
        return score[:, None]
    p = 1 / (1 + np.exp(-score))
    if task is Task.BINARY:
        return np.stack([1 - p, p], axis=1)
    return np.stack([p / 2, p / 2, 1 - p], axis=1)


def _weights(inputs: tuple[InputField, ...]) -> np.ndarray:
    return np.concatenate([WEIGHTS, np.full(len(inputs) - len(INPUTS), 0.25)])


def model_bytes(
    number: int, task: Task, inputs: tuple[InputField, ...] = INPUTS, nonsense_above: float | None = None
) -> bytes:
    from onnx import TensorProto, helper, numpy_helper

    def constant(name: str, value: Any) -> Any:
        return numpy_helper.from_array(np.array(value, dtype=np.float64), name)

    nodes = [
        helper.make_node("IsNaN", ["features"], ["absent"]),
        helper.make_node("Where", ["absent", "zero", "features"], ["known"]),
        helper.make_node("MatMul", ["known", "weights"], ["sum"]),
        helper.make_node("Add", ["sum", "bias"], ["score" if task is not Task.REGRESSION else "outputs"]),
    ]
    if nonsense_above is not None:  # the square root of a negative number is none
        nodes[-1:] = [
            helper.make_node("MatMul", ["known", "only_age"], ["age"]),
            helper.make_node("Sub", ["limit", "age"], ["room"]),
            helper.make_node("Sqrt", ["room"], ["root"]),
            helper.make_node("Mul", ["root", "zero"], ["nothing"]),
            helper.make_node("Add", ["sum", "nothing"], ["safe"]),
            helper.make_node("Add", ["safe", "bias"], ["score" if task is not Task.REGRESSION else "outputs"]),
        ]
    if task is not Task.REGRESSION:
        nodes += [
            helper.make_node("Sigmoid", ["score"], ["p"]),
            helper.make_node("Sub", ["one", "p"], ["q"]),
        ]
        if task is Task.BINARY:
            nodes.append(helper.make_node("Concat", ["q", "p"], ["outputs"], axis=1))
        else:
            nodes.append(helper.make_node("Div", ["p", "two"], ["half"]))
            nodes.append(helper.make_node("Concat", ["half", "half", "q"], ["outputs"], axis=1))
    width = max(1, len(CLASSES[task]))
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("features", TensorProto.DOUBLE, [None, len(inputs)])],
        [helper.make_tensor_value_info("outputs", TensorProto.DOUBLE, [None, width])],
        [
            constant("zero", 0.0),
            constant("one", 1.0),
            constant("two", 2.0),
            constant("weights", _weights(inputs)[:, None]),
            constant("only_age", np.eye(len(inputs), 1)),
            constant("limit", nonsense_above or 0.0),
            constant("bias", [number / 7]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 9
    content: bytes = model.SerializeToString()
    return content


@dataclass
class Shop:
    """A workspace: records, releases, keys."""

    root: Path
    records: SqlRecords = field(init=False)

    def __post_init__(self) -> None:
        self.records = SqlRecords(f"sqlite:///{self.root / 'records.db'}")
        self.key = signing_key(self.root / "keys")

    def seal(
        self,
        number: int,
        model: str = "adult",
        *,
        task: Task = Task.BINARY,
        lying: bool = False,
        key: Any = None,
        inputs: tuple[InputField, ...] = INPUTS,
        event_key: str | None = None,
        nonsense_above: float | None = None,
        views: tuple[ViewInput, ...] = (),
    ) -> Path:
        """Seal a release whose compiled model answers by the law (or, lying, by that of another number).

        Args:
            inputs: `INPUTS` and perhaps further numbers.
            nonsense_above: the model answers NaN to whoever is older.
        """
        folder = self.root / "releases" / model / str(number)
        folder.mkdir(parents=True)
        rng = np.random.default_rng(number)
        golden = []
        for _ in range(200):
            row: dict[str, Any] = {
                "age": float(rng.normal(40, 10)) if inputs[0].required or rng.random() > 0.1 else None,
                "hours": int(rng.integers(0, 80)),
                "job": str(rng.choice(["clerk", "pilot", "baker", ""])),
            }
            row |= {field.name: float(rng.normal()) for field in inputs[len(INPUTS) :]}
            golden.append({"rows": [row], "outputs": expected(number, [row], task, inputs).tolist()})
        contents = {
            "model.onnx": model_bytes(number + 1 if lying else number, task, inputs, nonsense_above),
            "golden.jsonl": b"".join(json.dumps(line).encode() + b"\n" for line in golden),
            "MODEL_CARD.md": b"# a model of the tests\n",
        }
        for name, content in contents.items():
            (folder / name).write_bytes(content)
        manifest = Manifest(
            format=MANIFEST_FORMAT,
            model=model,
            number=number,
            task=task,
            origin="trained",
            created_at=datetime.now(UTC),
            run_id=f"run-{model}-{number}",
            inputs=inputs,
            output=OutputSpec(task, CLASSES[task], CLASSES[task][1] if task is Task.BINARY else None),
            runtime=RuntimeSpec(RuntimeKind.ONNX, "compiled", 1e-9, ("model.onnx",)),
            files={name: digest_bytes(content) for name, content in contents.items()},
            snapshots=(),
            target="income",
            key=event_key,
            time=None,
            code_digest="0" * 64,
            lock_digest="0" * 64,
            mainspring_version="0",
            training=None,
            metrics={},
            naive={},
            verdicts=(),
            parent=None,
            views=views,
        )
        content = encode_manifest(manifest)
        (folder / "manifest.json").write_bytes(content)
        (folder / "signature").write_bytes(sign(content, key or self.key))
        self.records.put_release(
            ReleaseRecord(
                model=model,
                number=number,
                run_id=manifest.run_id,
                digest=digest_bytes(content),
                place=f"{model}/{number}",
                created_at=manifest.created_at,
                runtime=RuntimeKind.ONNX,
                metrics={},
            )
        )
        return folder

    def promote(self, number: int, model: str = "adult") -> int:
        return self.records.set_alias(model, Alias.CHAMPION, number, actor="test", reason="test")

    def share(self, traffic: Traffic, model: str = "adult") -> int:
        return self.records.set_traffic(model, traffic, actor="test", reason="test")


@dataclass
class Running:
    """A gateway in its own processes."""

    shop: Shop
    process: subprocess.Popen[str]
    address: str
    port: int
    log: Path

    def request(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
            connection.request(method, path, content, headers or {})
            response = connection.getresponse()
            raw = response.read()
            kind = response.getheader("content-type") or ""
            found = {name.lower(): value for name, value in response.getheaders()}
            return response.status, found, json.loads(raw) if "json" in kind and raw else raw.decode()
        finally:
            connection.close()

    def raw(self, content: bytes, *, half_close: bool = False, timeout: float = 15.0) -> bytes:
        """Everything that comes back for these bytes, until the other side closes or is silent for a second."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout) as connection:
            got = b""
            try:
                connection.sendall(content)
                if half_close:
                    connection.shutdown(socket.SHUT_WR)
                while part := connection.recv(65536):
                    got += part
                    connection.settimeout(0.5)
            except (TimeoutError, ConnectionError):
                pass
            return got

    def workers(self) -> list[int]:
        return self.children("mainspring.serving.worker")

    def children(self, module: str) -> list[int]:
        """The pids of the gateway's processes that run this module."""
        import psutil

        found = []
        for child in psutil.Process(self.process.pid).children():
            with contextlib.suppress(psutil.Error):
                if module in child.cmdline():
                    found.append(child.pid)
        return found

    def acknowledged(self, generation: int, model: str | None = None) -> bool:
        """Whether every worker answers by this generation of the routes."""
        seen = self.shop.records.workers(model).values()
        return bool(seen) and all(one >= generation for one in seen)

    def count(self, metric: str, **labels: str) -> float:
        """The sum of a metric's values that have these labels."""
        from prometheus_client.parser import text_string_to_metric_families

        text = self.request("GET", "/metrics")[2]
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == metric and labels.items() <= sample.labels.items()
        )

    def wait_until(self, holds: Callable[[], bool], seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > deadline:
                pytest.fail(f"did not come true within {seconds} s; the log:\n{self.log.read_text()}")
            time.sleep(0.02)

    def answers(self) -> bool:
        try:
            return self.request("GET", "/readyz")[0] == 200
        except OSError:
            return False

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(20)
        finally:
            if self.process.stdout is not None:
                self.process.stdout.close()


def start(
    shop: Shop, *, ready: bool = True, log: dict[str, Any] | None = None, features: str = "", **settings: Any
) -> Running:
    """Start a gateway on a free port; with `ready`, wait until it answers.

    Args:
        features: the URL of the online store; a file of the shop's where not given.
    """
    given = {
        "host": "127.0.0.1",
        "port": 0,
        "workers": 1,
        "max_body_bytes": 2_000_000,
        "max_header_bytes": 16_384,
        "max_rows": 10_000,
        "max_waiting": 1_000,
        "read_timeout": 1.0,
        "drain_timeout": 5.0,
        "token": None,
        **settings,
    }
    orders = shop.root / f"options-{time.monotonic_ns()}.json"
    orders.write_text(
        json.dumps({"root": str(shop.root), "settings": given, "log": log or {}, "features": features})
    )
    log = orders.with_suffix(".log")
    with log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, str(HERE / "gateway_process.py"), str(orders)],
            stdout=subprocess.PIPE,
            stderr=file,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    port = int(address.rpartition(":")[2]) if address.startswith("http") else 0
    running = Running(shop, process, address, port, log)
    if ready:
        try:
            running.wait_until(running.answers)
        except BaseException:
            running.stop()
            raise
    return running


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path)
    yield made
    made.records.close()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One gateway for all tests of a module: adult@1 pinned, adult@2 champion (and default), pets@1, prices@1."""
    shop = Shop(tmp_path_factory.mktemp("shop"))
    shop.seal(1)
    shop.seal(2)
    shop.seal(1, "pets", task=Task.MULTICLASS)
    shop.seal(1, "prices", task=Task.REGRESSION)
    shop.promote(2)
    shop.promote(1, "pets")
    shop.promote(1, "prices")
    running = start(shop, default_model="adult")
    yield running
    running.stop()
    shop.records.close()
    shutil.rmtree(shop.root, ignore_errors=True)
