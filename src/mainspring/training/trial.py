"""The `trial` that a candidate gets: it suggests parameters as Optuna's trial does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from mainspring.errors import CandidateError

Choice = TypeVar("Choice", None, bool, int, float, str)


class Trial(Protocol):
    """What a candidate may rely on.

    Attributes:
        number: the trial's number within the run, from 0.
        params: what was suggested so far.
    """

    number: int

    @property
    def params(self) -> dict[str, Any]: ...

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """A number between `low` and `high`, both included; with `log` spread evenly over its logarithm."""
        ...

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """A whole number between `low` and `high`, both included."""
        ...

    def suggest_categorical(self, name: str, choices: Sequence[Choice]) -> Choice:
        """One of the choices."""
        ...


class SearchTrial:
    """A trial of the search: an Optuna trial under our number.

    Args:
        suggested: told the trial after each suggestion, so that the parameters are known of one that dies.
    """

    def __init__(self, inner: Any, number: int, suggested: Callable[[SearchTrial], None]) -> None:
        self._inner = inner
        self._suggested = suggested
        self.number = number

    @property
    def params(self) -> dict[str, Any]:
        return dict(self._inner.params)

    @property
    def distributions(self) -> dict[str, Any]:
        return dict(self._inner.distributions)

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        value = float(self._inner.suggest_float(name, low, high, step=step, log=log))
        self._suggested(self)
        return value

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        value = int(self._inner.suggest_int(name, low, high, step=step, log=log))
        self._suggested(self)
        return value

    def suggest_categorical(self, name: str, choices: Sequence[Choice]) -> Choice:
        chosen: Choice = self._inner.suggest_categorical(name, choices)
        self._suggested(self)
        return chosen


class ReplayTrial:
    """A trial that gives recorded parameters again.

    Raises:
        CandidateError: (from `suggest_…`) the candidate asks for a parameter that is not on record.

    Examples:
        >>> ReplayTrial({"depth": 3}, 7).suggest_int("depth", 1, 9)
        3
    """

    def __init__(self, params: Mapping[str, Any], number: int) -> None:
        self._params = dict(params)
        self.number = number

    @property
    def params(self) -> dict[str, Any]:
        return dict(self._params)

    def suggest_float(
        self,
        name: str,
        low: float,  # noqa: ARG002 - the signature is the search's
        high: float,  # noqa: ARG002
        *,
        step: float | None = None,  # noqa: ARG002
        log: bool = False,  # noqa: ARG002
    ) -> float:
        return float(self._recorded(name))

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:  # noqa: ARG002
        return int(self._recorded(name))

    def suggest_categorical(self, name: str, choices: Sequence[Choice]) -> Choice:  # noqa: ARG002
        chosen: Choice = self._recorded(name)
        return chosen

    def _recorded(self, name: str) -> Any:
        if name not in self._params:
            raise CandidateError(
                f"the candidate asks for the parameter {name!r}, which its trial did not have",
                cure="let it ask for the same parameters whenever their values are the same",
                where={"parameter": name},
            )
        return self._params[name]
