"""Whole numbers as texts: when a number names the same thing as a text, and when it only looks so."""

import re

PLAIN = r"^(0|-?[1-9][0-9]*)$"
"""A whole number in the one way in which numbers are written; also a pattern of Polars."""
OTHERWISE = r"^[\t-\r ]*[+-]?[0-9]+(\.0*)?[\t-\r ]*$"
"""A whole number however it is written, as `017`, `17.0` and ` 17`; also a pattern of Polars."""

_PLAIN = re.compile(PLAIN.removesuffix("$") + r"\Z")  # a `$` of Python's takes a line's end, too
_OTHERWISE = re.compile(OTHERWISE.removesuffix("$") + r"\Z")
GREATEST_EXACT = 2**53
"""From here on a float may be another number than the one that was sent."""


def is_numeral(text: str) -> bool:
    """Whether a text is a whole number in plain digits, so that it and the number are one name.

    Examples:
        >>> [is_numeral(text) for text in ("17", "-3", "0", "017", "-0", "+3", "17.0", " 17", "x", "")]
        [True, True, True, False, False, False, False, False, False, False]
    """
    return _PLAIN.match(text) is not None


def is_misspelt(text: str) -> bool:
    """Whether a text is a whole number that is not in plain digits: it looks like a numeral and is another text.

    Examples:
        >>> [is_misspelt(text) for text in ("017", "-0", "+3", "17.0", " 17", "17", "x", "1e3")]
        [True, True, True, True, True, False, False, False]
    """
    return _OTHERWISE.match(text) is not None and not is_numeral(text)
