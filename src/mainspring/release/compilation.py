"""The decision at sealing: which runtime answers, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mainspring.data.columns import columns_of, values_of
from mainspring.domain.release import InputField, OutputSpec, RuntimeKind, RuntimeSpec
from mainspring.errors import NotCompilable
from mainspring.features.request_time_frames import with_outputs
from mainspring.release.computed import Computed
from mainspring.release.golden_requests import Answers, Golden, golden_requests
from mainspring.release.parity import TOLERANCE, compare
from mainspring.release.wire import from_wire

if TYPE_CHECKING:
    from mainspring.release.compile.compiler import Compiled

ONNX = "model.onnx"


@dataclass(frozen=True, slots=True)
class Decision:
    """What the release will run on.

    Attributes:
        fields: the inputs, with their vocabularies where the compiled model answers.
        runtime: where the original answers, its files are still to be written.
        model: the bytes of `model.onnx`, or `None` where the original answers.
    """

    fields: tuple[InputField, ...]
    runtime: RuntimeSpec
    golden: Golden
    model: bytes | None = field(default=None, repr=False)


def decide_runtime(
    estimator: Any,
    answers: Answers,
    fields: Sequence[InputField],
    output: OutputSpec,
    holdout: pl.DataFrame,
    computed: Computed | None = None,
) -> Decision:
    """Compile the estimator, and take the compiled model only where it is equal.

    Args:
        answers: the original's outputs for an estimator's frame.
        fields: the inputs of the release.
        holdout: typed rows, every one of which is compared; with what was computed of them.
        computed: what functions make of the inputs.

    Raises:
        CandidateError: the original refuses a real row.
    """
    from mainspring.release.compile.compiler import compile_estimator

    taken = fields if computed is None else computed.model_fields
    compile_ = lambda: compile_estimator(estimator, taken, output)  # noqa: E731
    return decide(compile_, answers, fields, holdout, computed=computed)


def decide(
    compile_: Callable[[], Compiled],
    answers: Answers,
    fields: Sequence[InputField],
    holdout: pl.DataFrame,
    *,
    tolerance: float = TOLERANCE,
    computed: Computed | None = None,
) -> Decision:
    """As `decide_runtime`, of whatever has a compiled form.

    Args:
        compile_: gives it; raises where there is none.
        tolerance: within which it has to agree, that of the release then.

    Raises:
        CandidateError: the original refuses a real row.
    """
    fields = tuple(fields)
    compiled, reason = _compiled(compile_)
    thresholds: Mapping[str, NDArray[np.float64]] = {} if compiled is None else compiled.thresholds
    golden = golden_requests(answers, holdout, fields, thresholds, computed)
    if compiled is not None:
        names = [one.name for one in compiled.fields]
        sent = from_wire(golden.rows, fields)
        if computed is not None:
            sent = with_outputs(sent, computed.functions)
        asked = pl.DataFrame({n: values_of(sent, n).cast(holdout.schema[n], strict=False) for n in names})
        rows = pl.concat([columns_of(rows, names) for rows in (holdout, asked)])
        parity = compare(answers, compiled, rows, tolerance=tolerance)
        reason = parity.reason
        if parity.holds:
            runtime = RuntimeSpec(
                RuntimeKind.ONNX,
                reason=reason,
                tolerance=tolerance,
                files=(ONNX,),
                max_difference=parity.max_difference,
                rows_compared=parity.rows,
            )
            known = {one.name: one for one in compiled.fields}  # with their vocabularies
            return Decision(tuple(known.get(one.name, one) for one in fields), runtime, golden, compiled.model)
    runtime = RuntimeSpec(RuntimeKind.NATIVE, reason=reason, tolerance=TOLERANCE, files=())
    return Decision(fields, runtime, golden)


def _compiled(compile_: Callable[[], Compiled]) -> tuple[Compiled | None, str]:
    try:
        return compile_(), ""
    except NotCompilable as error:
        return None, f"not compiled: {error}"
    # A converter that stumbles over a version it does not know costs speed, not the release.
    except Exception as error:
        return None, f"not compiled: the converter failed ({type(error).__name__}: {str(error)[:200]})"
