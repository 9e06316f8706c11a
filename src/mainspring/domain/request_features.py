"""Features that are computed from a request, as declared in `model.py`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mainspring.errors import DeclarationError

# Columns by name in, columns by name out: float64 arrays (NaN where missing) for numbers, booleans and times
# (seconds since the epoch, UTC), object arrays of str (None where missing) for the rest.
RequestFunction = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class RequestFeatures:
    """Numbers that a function of `features.py` makes of a request's rows: the same code in training and in the
    gateway.

    Args:
        function: takes a dict of arrays and gives one; from the project's `features.py`, which imports NumPy
            and the standard library only.
        inputs: the columns that it is given: of the source, or features of a view as `VIEW.FEATURE`.
        outputs: the features that it gives, numbers, one for each row.

    Examples:
        >>> RequestFeatures(len, inputs=["hour"], outputs=["hour_sin", "hour_cos"]).outputs
        ('hour_sin', 'hour_cos')
    """

    function: RequestFunction
    inputs: Sequence[Any]
    outputs: Sequence[str]

    def __post_init__(self) -> None:
        # An entry is a column's name or a view's feature, which tells its column.
        inputs = tuple(str(getattr(entry, "column", entry)) for entry in self.inputs)
        object.__setattr__(self, "inputs", inputs)
        object.__setattr__(self, "outputs", tuple(self.outputs))
        if not callable(self.function):
            raise DeclarationError(
                f"RequestFeatures({self.function!r}) is no function",
                cure="give a function of features.py: import features; RequestFeatures(features.NAME, …)",
            )
        for what, names in (("inputs", self.inputs), ("outputs", self.outputs)):
            if not names or len(set(names)) != len(names):
                raise DeclarationError(
                    f"the {what} of RequestFeatures({self.name}) are none, or one comes twice",
                    cure=f"name each once: {what}=[…]",
                )

    @property
    def name(self) -> str:
        return str(getattr(self.function, "__name__", self.function))
