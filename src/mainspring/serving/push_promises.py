"""What the values of a pushed row have to be, besides of their column's kind: what its view's schema promises."""

from collections.abc import Callable

from mainspring.domain.release import InputField, RowPromise
from mainspring.domain.request_values import RefusedValue, describe, read_time
from mainspring.domain.schema import Kind

Value = int | float | bool | str | None
_BOUNDED = (Kind.NUMBER, Kind.INTEGER, Kind.TIME)


def keeping(field: InputField, promise: RowPromise, read: Callable[[object], Value]) -> Callable[[object], Value]:
    """A reader that refuses what breaks the promise.

    Args:
        read: of the field's kind; times in microseconds.

    Examples:
        >>> from mainspring.domain.request_values import read_number
        >>> width = InputField("width", Kind.NUMBER)
        >>> keeping(width, RowPromise("width", minimum=0), read_number)(3)
        3.0
    """
    low, high = (_bound(field, bound) for bound in (promise.minimum, promise.maximum))
    known = None if promise.categories is None else frozenset(promise.categories)

    def kept(value: object) -> Value:
        found = read(value)
        if found is None:
            if not promise.nullable:
                raise RefusedValue("is missing, where no value may be", "send it, or leave the row out")
            return None
        if low is not None and found < low:  # type: ignore[operator]
            raise RefusedValue(f"is {describe(value)}, below the minimum {promise.minimum}", _CURE)
        if high is not None and found > high:  # type: ignore[operator]
            raise RefusedValue(f"is {describe(value)}, above the maximum {promise.maximum}", _CURE)
        if known is not None and found not in known:
            raise RefusedValue(f"is {describe(value)}, not among the {len(known):,} known values", _CURE)
        return found

    return kept


_CURE = "mend it, or leave the row out; the view's schema has it so"


def _bound(field: InputField, bound: float | str | None) -> float | None:
    if bound is None or field.kind not in _BOUNDED:
        return None
    return read_time(InputField(field.name, Kind.TIME), bound) if field.kind is Kind.TIME else float(bound)
