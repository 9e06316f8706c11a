"""Encoders of categories: asked once for each value that they can meet, and written down as a table."""

from collections.abc import Sequence
from typing import Any

from mainspring.errors import NotCompilable
from mainspring.release.compile.lookup import code_numbers, evaluate, look_up
from mainspring.release.compile.registry import transformer
from mainspring.release.compile.table import Compilation, Table


@transformer("sklearn.OneHotEncoder")
def _one_hot(compilation: Compilation, encoder: Any, table: Table) -> Table:
    _takes_unknown(encoder, "ignore")
    counts = encoder._n_features_outs  # outputs of each column, after drop and infrequent grouping
    ends = [sum(counts[: place + 1]) for place in range(len(counts))]
    outputs = [range(end - count, end) for count, end in zip(counts, ends, strict=True)]
    return _encoded(compilation, encoder, table, outputs)


@transformer("sklearn.OrdinalEncoder")
def _ordinal(compilation: Compilation, encoder: Any, table: Table) -> Table:
    _takes_unknown(encoder, "use_encoded_value")
    return _encoded(compilation, encoder, table, [[place] for place in range(len(table))])


@transformer("sklearn.TargetEncoder")
def _target(compilation: Compilation, encoder: Any, table: Table) -> Table:
    per_column = len(encoder.classes_) if encoder.target_type_ == "multiclass" else 1
    outputs = [range(place * per_column, (place + 1) * per_column) for place in range(len(table))]
    return _encoded(compilation, encoder, table, outputs)


def _encoded(compilation: Compilation, encoder: Any, table: Table, outputs: Sequence[Sequence[int]]) -> Table:
    if len(encoder.categories_) != len(table):
        raise NotCompilable(
            f"an encoder was fitted on {len(encoder.categories_)} columns and now gets {len(table)}"
        )
    coded: Table = []
    for column, known in zip(table, encoder.categories_, strict=True):
        if column.values is None:
            coded.append(code_numbers(compilation, column, list(known)))
        else:
            compilation.note_words(column, list(known))
            coded.append(column)
    return look_up(compilation, coded, evaluate(encoder, coded, outputs))


def _takes_unknown(encoder: Any, cure: str) -> None:
    if encoder.handle_unknown == "error":
        name = type(encoder).__name__
        raise NotCompilable(
            f"{name}(handle_unknown='error') refuses a value that it did not see in training",
            cure=f"write {name}(handle_unknown={cure!r}, …) so that such a row gets an answer",
        )
