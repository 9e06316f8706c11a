"""An ONNX file as its exporter wrote it."""

from __future__ import annotations

from typing import Any

from mainspring.domain.ids import digest_bytes
from mainspring.domain.schema import Kind
from mainspring.errors import ReleaseError
from mainspring.release.adoption.adopted import ORIGINAL_ONNX
from mainspring.release.adoption.onnx_checks import checked_model
from mainspring.release.adoption.onnx_probe import probe
from mainspring.release.adoption.onnx_session import TEXT, TYPES, OnnxSession, Port
from mainspring.release.adoption.original import Original, Wants

_LABELS = ("classlabels_strings", "classlabels_int64s", "classlabels_ints")


def from_onnx(content: bytes, name: str) -> Original:
    """The graph, looked at, tried in a child process, then loaded.

    Raises:
        ReleaseError: it is hostile or broken, or its inputs are none that a table's columns can be.
    """
    parsed = checked_model(content, name)
    probe(content, name)
    session = OnnxSession(content)
    wants = _wants(session.inputs, name)
    return Original(
        form="onnx",
        about="an ONNX file",
        digest=digest_bytes(content),
        model=session,
        wants=wants,
        keep=lambda _: {ORIGINAL_ONNX: content},
        classes=_labels(parsed),
        inputs=session.inputs,
        outputs=session.outputs,
        parsed=parsed,
    )


def _wants(inputs: tuple[Port, ...], name: str) -> Wants:
    for port in inputs:
        if port.type not in TYPES or len(port.shape) not in (1, 2):
            raise _unfit(name, port, "a table's column is [rows], [rows, 1], or one of many in [rows, columns]")
        if port.shape[0] is not None:
            raise _unfit(name, port, "export it with an open first axis, so that it takes any number of rows")
    (first, *others) = inputs if inputs else (None,)
    if first is None:
        raise ReleaseError(f"{name} takes no input", cure="export the whole model", where={"file": name})
    if not others and len(first.shape) == 2 and first.shape[1] != 1:
        return Wants(width=first.shape[1], kinds={})
    for port in inputs:
        if len(port.shape) == 2 and port.shape[1] != 1:
            raise _unfit(name, port, "give each column an input of its own, or all of them one")
    kinds = {port.name: _kind(port) for port in inputs if port.type in (TEXT, "tensor(bool)")}
    kinds |= {port.name: Kind.INTEGER for port in inputs if port.type in ("tensor(int64)", "tensor(int32)")}
    kinds |= {port.name: Kind.NUMBER for port in inputs if port.name not in kinds}
    return Wants(names=tuple(port.name for port in inputs), kinds=kinds)


def _kind(port: Port) -> Kind:
    return Kind.CATEGORY if port.type == TEXT else Kind.BOOLEAN


def _labels(model: Any) -> tuple[Any, ...] | None:
    """The classes that the last classifier (or its `ZipMap`) names."""
    for node in reversed(model.graph.node):
        for attribute in node.attribute:
            if attribute.name in _LABELS and (attribute.strings or attribute.ints):
                return tuple(text.decode("utf-8", "replace") for text in attribute.strings) or tuple(
                    attribute.ints
                )
    return None


def _unfit(name: str, port: Port, cure: str) -> ReleaseError:
    shape = ", ".join("?" if extent is None else str(extent) for extent in port.shape)
    return ReleaseError(
        f"{name} takes {port.name[:60]!r} as {port.type} [{shape}], which no column of a table is",
        cure=cure,
        where={"file": name},
    )
