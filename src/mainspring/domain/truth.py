"""How the truth about a target is written, and what it means to a model.

People and systems spell a label in more ways than one: `1`, `1.0` and `true`, ` >50K` and `>50K.`. A spelling is
read as a class only where it can mean no other; everything else is refused by name, because a label that is read
wrongly spoils every measurement that follows, and nobody sees it.
"""

import math
import re
from collections.abc import Iterator
from difflib import get_close_matches

from mainspring.domain.release import OutputSpec
from mainspring.domain.schema import Column

_WHOLE = re.compile(r"([+-]?)0*([0-9]{1,18})(?:\.0*)?")
_TRUE = ("true", "True", "TRUE", "1")  # as the readers of training data spell them
_FALSE = ("false", "False", "FALSE", "0")
_BOOLEAN = {"false", "true"}
_REMEMBERED = 1_000
_SHOWN = 40  # characters of a value, and classes


class RefusedTruth(Exception):
    """A value that cannot be the truth of this target.

    Args:
        problem: continues "the field 'label' …".
        cure: what to send instead.
    """

    def __init__(self, problem: str, cure: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.cure = cure


class Truth:
    """Reads what came true of one target.

    Args:
        output: what the model answers, so what can come true.
        column: the target's column at training, where it is known: how its booleans are spelled.

    Examples:
        >>> from mainspring.domain.task import Task
        >>> income = Truth(OutputSpec(Task.BINARY, ("<=50K", ">50K")))
        >>> income.read(" >50K.")
        ('>50K', None)
        >>> Truth(OutputSpec(Task.BINARY, ("0", "1"))).read(True)
        ('1', None)
        >>> Truth(OutputSpec(Task.REGRESSION)).read(12)
        (None, 12.0)
    """

    def __init__(self, output: OutputSpec, column: Column | None = None) -> None:
        self.classes = output.classes
        self._known = {label: label for label in output.classes}
        self._boolean = set(output.classes) == _BOOLEAN
        spelled = column is not None and bool(column.true or column.false)
        self._true = (*_TRUE, *(column.true if column and spelled else ()))
        self._false = (*_FALSE, *(column.false if column and spelled else ()))
        if column is not None and spelled:  # the declared spellings win over the usual ones
            self._true = tuple(text for text in self._true if text not in column.false)
            self._false = tuple(text for text in self._false if text not in column.true)

    def read(self, value: object) -> tuple[str | None, float | None]:
        """The class or the number that came true; one of the two is `None`.

        Raises:
            RefusedTruth: no class of this model, or no finite number.
        """
        if not self.classes:
            return None, number(value)
        text = _text(value)
        found = self._known.get(text)
        if found is None:
            found = self._class(text)
            if len(self._known) < _REMEMBERED:
                self._known[text] = found
        return found, None

    def _class(self, text: str) -> str:
        meant = {label for spelling in _spellings(text) if (label := self._named(spelling)) is not None}
        if len(meant) == 1:
            return meant.pop()
        shown = ", ".join(repr(label) for label in self.classes[:_SHOWN])
        shown += ", …" if len(self.classes) > _SHOWN else ""
        if meant:
            raise RefusedTruth(f"is {quoted(text)}, which may mean {' or '.join(sorted(meant))}", "spell it out")
        raise RefusedTruth(f"is {quoted(text)}, which is no class of this model", self._cure(text, shown))

    def _named(self, spelling: str) -> str | None:
        if spelling in self.classes:
            return spelling
        if self._boolean and spelling in self._true:
            return "true"
        if self._boolean and spelling in self._false:
            return "false"
        return None

    def _cure(self, text: str, shown: str) -> str:
        folded = text.strip().casefold()[:100]
        near = [label for label in self.classes if label.casefold() == folded]
        near = near or get_close_matches(text[:100], self.classes, 1)
        return f"did you mean {near[0]!r}? The classes are {shown}" if near else f"the classes are {shown}"


def number(value: object) -> float:
    """A finite number.

    Raises:
        RefusedTruth: it is none.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            found = float(value)
        except OverflowError:
            found = math.inf
        if math.isfinite(found):
            return found
        raise RefusedTruth("is no finite number", "send a number that a 64-bit float holds")
    raise RefusedTruth(f"is {described(value)}, not a number", "send a JSON number, without quotes")


def described(value: object) -> str:
    """What a JSON value is, in a few words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return f"the text {quoted(value)}"
    return "an array" if isinstance(value, list | tuple) else "an object"


def quoted(text: str) -> str:
    """The text in quotes, cut where it is long."""
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and abs(value) < 10**18:
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return str(value)
    raise RefusedTruth(f"is {described(value)}, which is no class", "send the class as a JSON string")


def _spellings(text: str) -> Iterator[str]:
    """The text itself, without blanks around it, without a dot at its end, and other forms of the same number."""
    yield text
    bare = text.strip()
    yield bare
    if len(bare) > 1 and bare.endswith("."):
        yield bare[:-1]
    if whole := _WHOLE.fullmatch(bare):
        sign = "-" if whole[1] == "-" and whole[2].strip("0") else ""
        yield f"{sign}{whole[2]}"
        yield f"{sign}{whole[2]}.0"
    if bare in _BOOLEAN:
        yield bare.capitalize()
        yield "1" if bare == "true" else "0"
        yield "1.0" if bare == "true" else "0.0"
