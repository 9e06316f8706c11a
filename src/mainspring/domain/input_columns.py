"""Which column of a prediction log holds which input, also where a later release has another kind for its name.

The first kind of a name has the column `input_<name>`, any other `<kind>_input_<name>`. What the table has
decides, so that every process comes to the same names.
"""

import hashlib
from collections.abc import Mapping, Sequence

from mainspring.domain.prediction_log import INPUT_PREFIX
from mainspring.domain.release import InputField
from mainspring.domain.schema import Kind, Personal

# Kinds in the words of `Tables.columns`, and the words for them in a second column's name.
_KINDS = {Kind.NUMBER: "double", Kind.INTEGER: "long", Kind.BOOLEAN: "boolean", Kind.TIME: "timestamp"}
_WORDS = {"double": "number", "long": "integer", "boolean": "boolean", "timestamp": "time", "string": "text"}


def stored_kind(field: InputField) -> str | None:
    """The kind in which an input is stored; `None` where it is left out.

    Examples:
        >>> stored_kind(InputField("age", Kind.INTEGER)), stored_kind(InputField("job", Kind.CATEGORY))
        ('long', 'string')
        >>> stored_kind(InputField("age", Kind.INTEGER, personal=Personal.HASH))
        'string'
    """
    if field.personal is Personal.OMIT:
        return None
    return "string" if field.personal is not None else _KINDS.get(field.kind, "string")


def input_columns(present: Mapping[str, str], inputs: Sequence[InputField]) -> dict[str, tuple[str, str]]:
    """The column and the kind of each input that is stored.

    Args:
        present: the table's columns and their kinds, as `Tables.columns` gives them.

    Examples:
        >>> input_columns({"input_age": "double"}, [InputField("age", Kind.TEXT), InputField("job", Kind.TEXT)])
        {'age': ('text_input_age', 'string'), 'job': ('input_job', 'string')}
    """
    kinds = dict(present)
    folded = {name.lower(): name for name in kinds}
    found = {}
    for field in inputs:
        kind = stored_kind(field)
        if kind is None:
            continue
        for column in _names(field.name, kind):
            taken = folded.get(column.lower())  # a table cannot keep names that differ in case only
            if taken is None or (taken == column and kinds[column] == kind):
                kinds[column] = kind
                folded[column.lower()] = column
                found[field.name] = (column, kind)
                break
    return found


def _names(name: str, kind: str) -> Sequence[str]:
    first = f"{INPUT_PREFIX}{name}"
    second = f"{_WORDS[kind]}_{first}"
    return first, second, f"{second}_{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
