"""Each protocol describes what it answers, and nothing else."""

import re
from typing import Any

from mainspring.release.signed_manifest import read_manifest
from mainspring.release.signing import trusted_keys
from mainspring.serving.health import Health
from mainspring.serving.openapi import OpenApi, describe
from mainspring.serving.protocols.mlflow import MlflowProtocol
from mainspring.serving.protocols.native import NativeProtocol
from mainspring.serving.protocols.openinference import OpenInference
from mainspring.serving.protocols.openinference_status import OpenInferenceStatus
from mainspring.serving.protocols.tfserving import TensorFlowPredict
from mainspring.serving.protocols.tfserving_status import TensorFlowStatus

from .conftest import Running, Shop

UNUSED: Any = None  # neither routes nor descriptions ask for predictions
PROTOCOLS = (
    NativeProtocol(UNUSED),
    TensorFlowPredict(UNUSED),
    TensorFlowStatus(UNUSED),
    OpenInference(UNUSED),
    OpenInferenceStatus(UNUSED),
    MlflowProtocol(UNUSED),
    Health(UNUSED, UNUSED, UNUSED),
    OpenApi(UNUSED, ()),
)


def test_every_route_is_described_and_every_description_has_a_route(shop: Shop) -> None:
    manifest = read_manifest(shop.seal(1), trusted_keys(shop.root / "keys" / "trusted"))
    for protocol in PROTOCOLS:
        paths = protocol.paths([manifest])
        described = {
            (method.upper(), re.sub(r"\{\w+\}", "1", path))
            for path, item in paths.items()
            for method in item
            if method != "parameters"
        }
        routes = protocol.routes()
        for route in routes:
            assert any(method == route.method and route.pattern.fullmatch(path) for method, path in described), (
                route
            )
        for method, path in described:
            assert any(route.method == method and route.pattern.fullmatch(path) for route in routes), path


def test_no_two_protocols_describe_the_same_path(shop: Shop) -> None:
    manifest = read_manifest(shop.seal(1), trusted_keys(shop.root / "keys" / "trusted"))
    paths = [path for protocol in PROTOCOLS for path in protocol.paths([manifest])]
    assert len(paths) == len(set(paths))
    assert set(describe([manifest], PROTOCOLS)["paths"]) == set(paths)


def test_the_document_is_that_of_the_champions(gateway: Running) -> None:
    document = gateway.request("GET", "/openapi.json")[2]
    for model in ("adult", "pets", "prices"):
        for path in (f"/predict/{model}", f"/v1/models/{model}:predict", f"/v2/models/{model}/infer"):
            assert "post" in document["paths"][path]
    assert document["components"]["schemas"]["adult.Row"]["required"] == ["age", "hours", "job"]
    assert set(document["components"]["schemas"]["prices.Prediction"]["properties"]) == {"prediction"}
