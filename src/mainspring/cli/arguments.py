"""Options that take several values, as a shell writes them for a glob."""

from collections.abc import Sequence

_SEVERAL = {"init": "--data", "adopt": "--data", "score": "--input", "simulate": "--data"}


def spread(arguments: Sequence[str]) -> list[str]:
    """`--data a.csv b.csv`, as a shell writes it for `--data *.csv`, as `--data a.csv --data b.csv`.

    Examples:
        >>> spread(["init", "d", "--data", "a", "b", "--target", "y"])
        ['init', 'd', '--data', 'a', '--data', 'b', '--target', 'y']
        >>> spread(["run", "--data", "a", "b"])
        ['run', '--data', 'a', 'b']
    """
    option = _SEVERAL.get(arguments[0]) if arguments else None
    result: list[str] = []
    values: int | None = None  # how many the option has had, while they last
    for argument in arguments:
        if option is not None and argument == option:
            result.append(argument)
            values = 0
        elif argument.startswith("-") and argument != "-":
            result.append(argument)
            values = None
        elif values is None:
            result.append(argument)
        else:
            result += [argument] if values == 0 else [str(option), argument]
            values += 1
    return result
