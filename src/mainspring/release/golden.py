"""Golden requests: what the original estimator answered when it was sealed, asked again of every runtime.

Imports msgspec and numpy at most: gateway workers use it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from mainspring.domain.release import Manifest
from mainspring.errors import GoldenMismatch, MainspringError, TamperedRelease
from mainspring.release.runtimes.base import Runtime

GOLDEN = "golden.jsonl"
FEWEST = 200  # lines


@dataclass(frozen=True, slots=True)
class GoldenRequest:
    """One line: wire rows, and the original's outputs [rows, k]."""

    rows: list[dict[str, Any]]
    outputs: list[list[float]]


def encode_golden(rows: Sequence[Mapping[str, Any]], outputs: NDArray[np.float64]) -> bytes:
    """One request of one row a line.

    Args:
        rows: n wire rows.
        outputs: the original's answers [n, k].
    """
    lines = (
        msgspec.json.encode({"rows": [row], "outputs": [answer]})
        for row, answer in zip(rows, outputs.tolist(), strict=True)
    )
    return b"".join(line + b"\n" for line in lines)


def decode_golden(content: bytes, *, release: str) -> tuple[GoldenRequest, ...]:
    """Read `golden.jsonl`.

    Raises:
        TamperedRelease: a line is no golden request, or there are fewer than 200.
    """
    found = []
    for number, line in enumerate(content.splitlines(), start=1):
        try:
            request = msgspec.json.decode(line, type=GoldenRequest)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise _unreadable(release, number, str(error)) from error
        if not request.rows or len(request.rows) != len(request.outputs):
            raise _unreadable(release, number, "there is not one answer a row")
        found.append(request)
    if len(found) < FEWEST:
        raise _unreadable(release, len(found), f"there are fewer than {FEWEST} lines")
    return tuple(found)


def replay(requests: Sequence[GoldenRequest], runtime: Runtime, manifest: Manifest) -> float:
    """Ask the runtime every golden request: the first by itself, the rest at once, as requests come both ways.

    Returns:
        The greatest |answer - original| / max(1, |original|) that was seen.

    Raises:
        GoldenMismatch: an answer is further off than the release's tolerance, or the runtime refused a request.
    """
    greatest = 0.0
    for first, part in ((0, requests[:1]), (1, requests[1:])):
        greatest = max(greatest, _replay_at_once(first, part, runtime, manifest))
    return greatest


def _replay_at_once(first: int, requests: Sequence[GoldenRequest], runtime: Runtime, manifest: Manifest) -> float:
    lines = [first + number for number, request in enumerate(requests, start=1) for _ in request.rows]
    if not lines:
        return 0.0
    expected = np.array([answer for request in requests for answer in request.outputs], dtype=np.float64)
    try:
        found = runtime.predict_rows([row for request in requests for row in request.rows])
    except MainspringError as error:
        place = error.where.get("row")
        line = lines[place] if isinstance(place, int) and 0 <= place < len(lines) else lines[0]
        raise _mismatch(manifest, line, f"the runtime refuses it: {error.message}") from error
    if found.shape != expected.shape:
        raise _mismatch(
            manifest, lines[0], f"the outputs have the shape {list(found.shape)}, not {list(expected.shape)}"
        )
    with np.errstate(invalid="ignore", over="ignore"):
        difference = np.abs(found - expected) / np.maximum(1.0, np.abs(expected))
    difference[~np.isfinite(difference)] = np.inf
    row, column = np.unravel_index(int(difference.argmax()), difference.shape)
    if difference[row, column] > manifest.runtime.tolerance:
        raise _mismatch(
            manifest,
            lines[row],
            f"output {column} is {float(found[row, column])!r}, the original answered "
            f"{float(expected[row, column])!r}",
        )
    return float(difference[row, column])


def _mismatch(manifest: Manifest, line: int, problem: str) -> GoldenMismatch:
    return GoldenMismatch(
        f"{manifest.ref} does not answer as its original did: {GOLDEN} line {line}: {problem}",
        cure="install what requirements.lock of the release names, or seal the model anew",
        where={"release": str(manifest.ref), "file": GOLDEN, "line": line},
    )


def _unreadable(release: str, line: int, problem: str) -> TamperedRelease:
    return TamperedRelease(
        f"{GOLDEN} of {release}, line {line}: {problem}",
        cure="fetch the release again from where it was sealed, or seal the model anew",
        where={"release": release, "file": GOLDEN, "line": line},
    )
