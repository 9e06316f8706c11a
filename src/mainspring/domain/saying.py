"""Numbers, counts, strangers' texts and ends of processes as people read them: the same wherever they are told."""

import math
import signal


def number(value: float | None, digits: int = 4) -> str:
    """A number to so many significant digits, more where it is whole or large; `–` for none.

    Examples:
        >>> number(0.92731), number(48123.4), number(None), number(12), number(0.0812, 3)
        ('0.9273', '48,123', '–', '12', '0.0812')
        >>> number(-0.00001), number(1234.56, 3), number(999.7, 3), number(float("nan")), number(1e300)
        ('-1e-05', '1,235', '1,000', '–', '1e+300')
    """
    if value is None or not math.isfinite(value):
        return "–"
    if abs(value) < 1e15 and value == int(value):
        return f"{int(value):,}"
    # `g` would say 999.7 as 1e+03.
    return f"{value:,.0f}" if 10**digits - 0.5 <= abs(value) < 1e15 else f"{value:,.{digits}g}"


def shown(text: str) -> str:
    r"""The text of a stranger on one line: control and direction characters are shown instead of obeyed.

    Examples:
        >>> shown("a\x1b[31m\u202eb\n")
        'a\\x1b[31m\\u202eb\\n'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def counted(count: int, thing: str) -> str:
    """How many there are of a thing.

    Examples:
        >>> counted(1, "worker"), counted(1_200, "trial")
        ('1 worker', '1,200 trials')
    """
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def manner(code: int) -> str:
    """How a process ended, by its exit code; of a signal the negative number.

    Examples:
        >>> manner(1), manner(-9)
        ('with exit code 1', 'by SIGKILL')
    """
    if code >= 0:
        return f"with exit code {code}"
    try:
        return f"by {signal.Signals(-code).name}"
    except ValueError:
        return f"by signal {-code}"
