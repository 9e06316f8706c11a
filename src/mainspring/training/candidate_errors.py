"""Whatever a candidate raised, as an error that names candidate, exception and line."""

from __future__ import annotations

from pathlib import Path

from mainspring.errors import CandidateError, MainspringError, TrialOutOfMemory
from mainspring.training.model_file import line_within


def explain(error: BaseException, candidate: str, model_file: Path) -> MainspringError:
    """The error as a person can mend it.

    Args:
        error: with its traceback.
    """
    line = line_within(error, model_file)
    where = {"candidate": candidate, "file": model_file.name} | ({"line": line} if line else {})
    if isinstance(error, MemoryError):
        return TrialOutOfMemory(
            f"the candidate {candidate!r} ran out of memory",
            cure="let it take less, or raise Model(trial_memory=…)",
            where=where,
        )
    if isinstance(error, MainspringError):
        return type(error)(error.message, cure=error.cure, where=where | error.where)
    text = " ".join(str(error).split())
    place = f" at line {line} of {model_file.name}" if line else " while it was fitted or asked"
    return CandidateError(
        f"the candidate {candidate!r} raised {type(error).__name__}{place}"
        + (f": {text[:300]}{'…' if len(text) > 300 else ''}" if text else ""),
        cure="mend the candidate"
        if line
        else "look at what it does with the features, e.g. texts and missing values",
        where=where,
    )
