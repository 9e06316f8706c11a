"""Columns of codes → numbers: every step that maps the values of one column to numbers is a look-up."""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mainspring.errors import NotCompilable
from mainspring.release.compile.table import Column, Compilation, Floats, Table

_DOUBLE = 11  # TensorProto.DOUBLE
_INT64 = 7  # TensorProto.INT64
_INT32 = 6  # TensorProto.INT32


def look_up(compilation: Compilation, table: Table, answers: Sequence[Floats]) -> Table:
    """The numeric columns after looking each code up.

    All columns share one small table and one `Gather`, whatever their number: on a single row an operator costs
    about as much as everything that it does.

    Args:
        table: columns of codes.
        answers: per column, [codes, outputs of that column].

    Returns:
        The outputs of the first column, then those of the second, and so on.
    """
    if all(answer.shape[1] == 1 for answer in answers):
        tensor = _gathered(compilation, table, [answer[:, 0] for answer in answers])
        return _owned(tensor, table, answers)
    if all(_is_one_hot(answer) for answer in answers):
        return _owned(_one_hot(compilation, table, answers), table, answers)
    after: Table = []
    for column, answer in zip(table, answers, strict=True):
        codes = compilation.graph.op("Cast", compilation.gather([column]), width=1, to=_INT64)
        width = answer.shape[1]
        rows = compilation.graph.op("Gather", compilation.graph.constant(answer), codes, width=width, axis=0)
        tensor = compilation.graph.op("Reshape", rows, compilation.graph.vector(-1, width), width=width)
        after += _owned(tensor, [column], [answer])
    return after


def code_numbers(compilation: Compilation, column: Column, known: Sequence[object]) -> Column:
    """A numeric column as codes: of each known number, then of any other, then of NaN; or, where its numbers were
    looked up, the codes by which they were.

    Raises:
        NotCompilable: a known value is no number.
    """
    numbers = [float(value) for value in known if isinstance(value, int | float | np.number) and value == value]
    if len(numbers) != sum(value == value for value in known):
        raise NotCompilable("an encoder knows texts of a column that holds numbers")
    if column.codes is not None:
        return column.codes
    graph = compilation.graph
    count = len(numbers)
    matrix = compilation.matrix([column])
    # No finite number equals the infinite one that stands for NaN.
    whole = graph.op("Where", graph.op("IsNaN", matrix, width=1), graph.constant(np.inf), matrix, width=1)
    hits = graph.op("Equal", whole, graph.constant([[*numbers, np.inf]]), width=count + 1)
    hits = graph.op("Cast", hits, width=count + 1, to=_INT32)
    # Weights make the place itself the greatest: known numbers 1…count, NaN count + 2, anything else count + 1.
    weights = [*range(count + 2, 2, -1), 1]
    scored = graph.op("Mul", hits, graph.constant([weights], np.int32), width=count + 1)
    best = graph.op("ReduceMax", scored, graph.vector(1), width=1, keepdims=1)
    places = np.empty(count + 3)
    places[0] = count  # none equals: another number
    places[1] = count + 1  # NaN
    places[2] = count
    places[3:] = np.arange(count - 1, -1, -1)
    index = graph.op("Cast", best, width=1, to=_INT64)
    tensor = graph.op("Gather", graph.constant(places), index, width=1, axis=0)
    other = (max(numbers) if numbers else 0.0) * 2 + 1.0
    while other in numbers:
        other += 1.0
    return Column(tensor, 0, raw=None, values=(*numbers, other, np.nan))


def evaluate(estimator: Any, table: Table, outputs: Sequence[Sequence[int]]) -> list[Floats]:
    """What a fitted transformer that treats each column by itself answers to each code, asked of itself.

    Args:
        estimator: fitted on `len(table)` columns.
        table: columns of codes.
        outputs: per column, the places of its outputs in what the transformer returns.

    Returns:
        Per column, [codes, outputs].
    """
    lists = [list(column.values or ()) for column in table]
    usual = [values[0] for values in lists]
    rows = []
    for place, values in enumerate(lists):
        rows += [[*usual[:place], value, *usual[place + 1 :]] for value in values]
    answers = _transformed(estimator, rows)
    found, start = [], 0
    for values, own in zip(lists, outputs, strict=True):
        found.append(answers[start : start + len(values)][:, list(own)])
        start += len(values)
    return found


def _transformed(estimator: Any, rows: list[list[object]]) -> Floats:
    import pandas as pd

    columns = [list(column) for column in zip(*rows, strict=True)]
    numeric = [all(isinstance(value, float) for value in column) for column in columns]
    names = getattr(estimator, "feature_names_in_", range(len(columns)))
    frame = pd.DataFrame(
        {
            name: pd.Series(
                np.array(column, dtype=np.float64 if plain else object), dtype=float if plain else object
            )
            for name, column, plain in zip(names, columns, numeric, strict=True)
        }
    )
    given = frame if hasattr(estimator, "feature_names_in_") else frame.to_numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # encoders warn of the unknown value that is among the rows on purpose
        answer = estimator.transform(given)
    dense = answer.toarray() if hasattr(answer, "toarray") else answer
    return np.asarray(dense, dtype=np.float64)


def _gathered(compilation: Compilation, table: Table, answers: Sequence[Floats]) -> str:
    graph = compilation.graph
    width = len(table)
    offsets = np.cumsum([0, *(len(answer) for answer in answers[:-1])])
    places = compilation.gather(table)
    if width > 1:
        places = graph.op("Add", places, graph.constant(offsets.astype(np.float64)), width=width)
    places = graph.op("Cast", places, width=width, to=_INT64)
    return graph.op("Gather", graph.constant(np.concatenate(answers)), places, width=width, axis=0)


def _is_one_hot(answer: Floats) -> bool:
    return bool(np.isin(answer, (0.0, 1.0)).all() and (answer.sum(axis=1) <= 1).all())


def _one_hot(compilation: Compilation, table: Table, answers: Sequence[Floats]) -> str:
    """One output is 1 where the column's code is that output's: three operators for all columns together."""
    graph = compilation.graph
    slots = [np.where(answer.any(axis=1), answer.argmax(axis=1), -1).astype(np.float64) for answer in answers]
    if any((answer.sum(axis=0) > 1).any() for answer in answers):
        # Several codes share an output (infrequent categories): first the output's number, then the comparison.
        tensor = _gathered(compilation, table, slots)
        table = [Column(tensor, place) for place in range(len(table))]
        wanted = [np.arange(answer.shape[1], dtype=np.float64) for answer in answers]
    else:
        # No code is -1, so an output that none of the codes gives stays 0.
        wanted = [np.where(answer.any(axis=0), answer.argmax(axis=0), -1).astype(np.float64) for answer in answers]
    repeated = [column for column, codes in zip(table, wanted, strict=True) for _ in codes]
    width = len(repeated)
    equal = graph.op("Equal", compilation.gather(repeated), graph.constant(np.concatenate(wanted)), width=width)
    return graph.op("Cast", equal, width=width, to=_DOUBLE)


def _owned(tensor: str, table: Table, answers: Sequence[Floats]) -> Table:
    """The columns of a tensor that holds all answers side by side."""
    after: Table = []
    for column, answer in zip(table, answers, strict=True):
        for numbers in answer.T:
            codes = replace(column, values=tuple(numbers.tolist()))
            after.append(Column(tensor, len(after), raw=column.raw, codes=codes))
    return after
