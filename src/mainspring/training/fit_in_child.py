"""One fit in a limited process of its own, forked from a running server."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from mainspring.domain.durations import parse_duration
from mainspring.domain.model import parse_memory
from mainspring.errors import CandidateError, MainspringError, TrainingError, TrialOutOfMemory, TrialTimeout
from mainspring.training.final_fit import FitOrder, FitOutcome
from mainspring.training.trial_client import Ended, TrialServer

_LOOK_EVERY = 1.0


def fit_with(
    server: TrialServer,
    order: FitOrder,
    *,
    trial_time: str,
    trial_memory: str,
    environment: Mapping[str, str],
) -> FitOutcome:
    """Have the server fork a child that fits, and wait for it.

    Args:
        trial_time, trial_memory: beyond which it is ended, as `Model` declares them.
        environment: variables for the user's code.

    Raises:
        CandidateError, TrialTimeout, TrialOutOfMemory: as in a trial.
    """
    server.begin(
        "fit",
        order,
        seconds=parse_duration(trial_time).total_seconds(),
        memory=parse_memory(trial_memory),
        environment=environment,
    )
    ended = None
    while ended is None:
        ended = server.next_ended(_LOOK_EVERY)
    if ended.done is not None:
        return msgspec.convert(ended.done, FitOutcome)
    raise _failure(ended, order, trial_time, trial_memory)


def _failure(ended: Ended, order: FitOrder, trial_time: str, trial_memory: str) -> MainspringError:
    where = {"candidate": order.candidate}
    if ended.ended_for == "time":
        return TrialTimeout(
            f"the final fit of {order.candidate!r} took longer than {trial_time}",
            cure="raise Model(trial_time=…)",
            where=where,
        )
    if ended.ended_for == "memory":
        return TrialOutOfMemory(
            f"the final fit of {order.candidate!r} took more than {trial_memory} of memory",
            cure="raise Model(trial_memory=…)",
            where=where,
        )
    if ended.error is not None:
        error = ended.error
        kind = {TrialOutOfMemory.__name__: TrialOutOfMemory, CandidateError.__name__: CandidateError}.get(
            error["error"], TrainingError
        )
        return kind(error["message"], cure=error["cure"], where=where | error["where"])
    return CandidateError(
        f"the final fit of {order.candidate!r} ended with exit code {ended.exit} before it had a result",
        cure="look for what ends the process in the candidate, or in the libraries that it uses",
        where=where,
    )
