"""`mainspring serve --release`: a release folder is served without a project, and as SageMaker asks."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mainspring.errors import TamperedRelease, UsageError
from mainspring.loop.releases.served_folder import open_folder
from mainspring.release.signing import signing_key
from mainspring.settings import load_settings

from .conftest import ROW, Running, Shop

Serve = Callable[..., Running]


@pytest.fixture
def model(shop: Shop, tmp_path: Path) -> Path:
    """What a container gets under /opt/ml/model: a release, and the public key of whoever sealed it."""
    place = tmp_path / "model"
    shutil.copytree(shop.seal(3), place / "adult")
    shutil.copytree(tmp_path / "keys" / "trusted", place / "trusted")
    return place


@pytest.fixture
def serve(shop: Shop, tmp_path: Path) -> Iterator[Serve]:
    """`mainspring serve …` in an empty folder that is no project."""
    started = []

    def start(*arguments: str, **environment: str) -> Running:
        home = tmp_path / "home"
        home.mkdir()
        log = tmp_path / "log"
        with log.open("w") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "mainspring", "serve", *arguments, "--json"],
                cwd=home,
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
                env={**os.environ, **environment},
            )
        assert process.stdout is not None
        text = ""
        while not text.rstrip().endswith("}"):
            line = process.stdout.readline()
            assert line, f"{text}{log.read_text()}"
            text += line
        import json

        address = json.loads(text)["address"]
        running = Running(shop, process, address, int(address.rpartition(":")[2]), log)
        started.append(running)
        running.wait_until(running.answers)
        return running

    yield start
    for running in started:
        running.stop()


def test_a_release_folder_is_served_without_a_project(serve: Serve, model: Path) -> None:
    running = serve("--release", str(model / "adult"), "--port", "0")
    status, headers, _ = running.request("POST", "/predict/adult", ROW)
    assert (status, headers["x-release"]) == (200, "adult@3")
    assert running.request("POST", "/invocations", {"inputs": [ROW]})[0] == 200
    assert running.stop() == 0


def test_sagemakers_contract_is_kept_by_settings_alone(serve: Serve, model: Path) -> None:
    running = serve(
        "--port",
        "0",
        MAINSPRING_GATEWAY_PLATFORM="sagemaker",
        MAINSPRING_GATEWAY_RELEASE=str(model),
    )
    assert running.address.startswith("http://0.0.0.0:")
    assert running.request("GET", "/ping")[0] == 200
    for kind, body in (("application/json", {"inputs": [ROW]}), ("text/csv", b"age,hours,job\n31.5,40,pilot\n")):
        status, headers, answer = running.request("POST", "/invocations", body, {"content-type": kind})
        assert (status, headers["x-release"]) == (200, "adult@3")
        assert len(answer["predictions"]) == 1
    # Whoever reaches the port past SageMaker gets no further.
    for method, path in (("POST", "/predict/adult"), ("GET", "/metrics"), ("GET", "/openapi.json")):
        assert running.request(method, path, ROW if method == "POST" else None)[0] == 401
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(20) == 0


def opened(place: Path, home: Path, trusted: Path | None = None) -> Any:
    return open_folder(load_settings(home, {}), place, trusted)


def test_the_folder_may_hold_several_models_and_be_opened_again(shop: Shop, model: Path, tmp_path: Path) -> None:
    shutil.copytree(shop.seal(7, "pets"), model / "pets" / "7")
    for _ in range(2):
        served = opened(model, tmp_path / "home")
        with served.workspace as workspace:
            routes = workspace.records.routes().routes
            assert {(route.model, route.champion, route.places[route.champion]) for route in routes} == {
                ("adult", 3, "adult"),
                ("pets", 7, "pets/7"),
            }
        assert served.trusted == model / "trusted"


def test_what_cannot_be_served_is_named(shop: Shop, model: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with pytest.raises(UsageError, match="there is no folder"):
        opened(tmp_path / "nosuch", home)
    with pytest.raises(UsageError, match="there is no release in"):
        opened(model / "trusted", home)
    with pytest.raises(UsageError, match="there is no public key in"):
        opened(model, home, tmp_path)
    other = tmp_path / "others"
    signing_key(other)
    with pytest.raises(TamperedRelease, match="signed by none"):
        opened(model, home, other / "trusted")
    shutil.copytree(shop.seal(4), model / "adult-4")
    with pytest.raises(UsageError, match="2 releases of one model: adult@3, adult@4"):
        opened(model, home)
    (model / "adult" / "manifest.json").write_bytes(b"{}")
    with pytest.raises(TamperedRelease):
        opened(model / "adult", home)
