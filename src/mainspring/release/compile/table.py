"""What flows between the steps of a pipeline while it is compiled: columns, known by where they are computed.

A numeric column is a place in a double tensor [rows, width]. A column of texts has no such form; it is a place
that holds a code, together with the value that each code stands for. A step that maps values to values (an imputer
of texts) changes only that list; one that maps values to numbers (an encoder) becomes a look-up in a small table.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from mainspring.domain.release import InputField
from mainspring.domain.schema import Kind
from mainspring.errors import NotCompilable
from mainspring.release.compile.graph import Graph
from mainspring.release.runtimes.onnx import INPUT

Floats = npt.NDArray[np.float64]
Forward = Callable[[Floats], Floats]

# Stands for every text that the model does not know; no file holds it, since NUL is refused when reading.
UNKNOWN = "\x00unknown\x00"


@dataclass(frozen=True, slots=True)
class Column:
    """One column while compiling.

    Attributes:
        tensor: the double tensor in which it is.
        place: its column there.
        raw: the index of the field from which alone it is computed, None if from several or none.
        values: for a column of codes, the value that each code stands for; None for numbers.
        forward: for numbers, the non-decreasing function of the field's (non-missing) value that gives this
            column, exactly as the original computes it; None where there is none. It leads a split's threshold
            back to the field.
        codes: for numbers that were looked up, the column of codes with these numbers as the codes' values, so
            that a further look-up asks the codes themselves.
    """

    tensor: str
    place: int
    raw: int | None = None
    values: tuple[object, ...] | None = None
    forward: Forward | None = None
    codes: "Column | None" = None


Table = list[Column]


@dataclass(slots=True)
class Compilation:
    """One pass over an estimator: its graph, its fields, and what was learnt on the way.

    Attributes:
        vocabularies: field index → the texts that the release's codes stand for.
        words: field index → the texts that encoders were seen to know (for the next pass).
        splits: the tree ensembles in the graph, for finding rows right beside their thresholds.
    """

    fields: tuple[InputField, ...]
    vocabularies: dict[int, tuple[str, ...]]
    graph: Graph
    words: dict[int, set[str]] = field(default_factory=dict)
    splits: list["TreeSite"] = field(default_factory=list)

    def inputs(self) -> Table:
        """The columns as the estimator's frame has them."""
        return [self._input(number, spec) for number, spec in enumerate(self.fields)]

    def note_words(self, column: Column, known: Sequence[object]) -> None:
        """An encoder knows these values of the column: those that are texts belong into its vocabulary."""
        if column.raw is not None and column.values is not None:
            self.words.setdefault(column.raw, set()).update(word for word in known if isinstance(word, str))

    def matrix(self, table: Table) -> str:
        """The tensor [rows, len(table)] of these columns, in this order.

        Raises:
            NotCompilable: one of them holds texts.
        """
        for column in table:
            if column.values is not None:
                name = "" if column.raw is None else f" {self.fields[column.raw].name!r}"
                raise NotCompilable(
                    f"the column{name} reaches an estimator as text",
                    cure="encode it in the pipeline, e.g. with OrdinalEncoder or OneHotEncoder",
                )
        return self.gather(table)

    def gather(self, table: Table) -> str:
        """As `matrix`, columns of codes included."""
        if not table:
            raise NotCompilable("no column is left for the estimator", cure="keep at least one feature")
        graph = self.graph
        tensors = list(dict.fromkeys(column.tensor for column in table))
        offsets, width = {}, 0
        for tensor in tensors:
            offsets[tensor] = width
            width += graph.width_of(tensor)
        whole = tensors[0] if len(tensors) == 1 else graph.op("Concat", *tensors, width=width, axis=1)
        places = [offsets[column.tensor] + column.place for column in table]
        if places == list(range(width)):
            return whole
        return graph.op("Gather", whole, graph.vector(*places), width=len(places), axis=1)

    def zeros(self) -> str:
        """A tensor [rows, 1] of zeros; the first field times nothing would be NaN where it is missing."""
        first = self.graph.op("Gather", INPUT, self.graph.vector(0), width=1, axis=1)
        flags = self.graph.op("Cast", self.graph.op("IsNaN", first, width=1), width=1, to=11)
        return self.graph.op("Mul", flags, self.graph.constant(0.0), width=1)

    def columns(self, tensor: str, like: Table | None = None) -> Table:
        """The columns of a computed tensor; with `like`, each is computed from the one of the same place there."""
        width = self.graph.width_of(tensor)
        if like is None:
            return [Column(tensor, place) for place in range(width)]
        return [Column(tensor, place, raw=column.raw) for place, column in enumerate(like)]

    def _input(self, number: int, spec: InputField) -> Column:
        if spec.kind.is_numeric or spec.kind is Kind.TIME:
            return Column(INPUT, number, raw=number, forward=_same)
        vocabulary = self.vocabularies.get(number, ())
        if spec.kind is Kind.TEXT:  # a missing text is the empty one, which has no code of its own
            return Column(INPUT, number, raw=number, values=(*vocabulary, UNKNOWN))
        return Column(INPUT, number, raw=number, values=(*vocabulary, UNKNOWN, np.nan))


@dataclass(frozen=True, slots=True)
class TreeSite:
    """A tree ensemble in the graph.

    Attributes:
        tensor: what it reads, double [rows, len(table)].
        table: the columns of that tensor.
        trees: the ensemble itself.
        float32: the original rounds its input to float32 before it compares.
    """

    tensor: str
    table: Table
    trees: "object"
    float32: bool = False


def then(column: Column, step: Forward | None, tensor: str, place: int) -> Column:
    """The column after one more step: in a new place, with the step composed onto its way from the field.

    Args:
        step: non-decreasing, exactly as the original computes it; None if there is no such function.
    """
    before = column.forward
    forward: Forward | None = None
    if before is not None and step is not None:
        first, second = before, step

        def forward(values: Floats) -> Floats:
            return second(first(values))

    return replace(column, tensor=tensor, place=place, forward=forward, values=None, codes=None)


def _same(values: Floats) -> Floats:
    return values
