"""Python source text for values of any content, in the style of `ruff format`."""

from collections.abc import Iterable


def string(text: str) -> str:
    r"""A string literal: double quotes unless single ones need fewer escapes, everything unprintable escaped.

    Examples:
        >>> print(string("it's"), string('say "a"'), string("a\nb"))
        "it's" 'say "a"' "a\nb"
    """
    quote = "'" if text.count('"') > text.count("'") else '"'
    return quote + "".join("\\" + c if c == quote else _escaped(c) for c in text) + quote


def _escaped(character: str) -> str:
    if character == "'":
        return character
    return repr(character)[1:-1]  # printable ones as they are, others as \n, \x1b, \u202e


def strings(texts: Iterable[str], indent: str) -> str:
    """A list of strings, one a line.

    Examples:
        >>> print(strings(["a", "b"], ""))
        [
            "a",
            "b",
        ]
    """
    lines = [f"{indent}    {string(text)}," for text in texts]
    return "\n".join(["[", *lines, f"{indent}]"]) if lines else "[]"


def comment(text: str, indent: str = "", width: int = 88) -> str:
    """Comment lines, wrapped; no text can leave the comment.

    Examples:
        >>> print(comment("one two three", width=12))
        # one two
        # three
    """
    safe = "".join(c if c.isprintable() else _escaped(c) for c in text)
    lines: list[str] = []
    current = ""
    for word in safe.split():
        if current and len(indent) + 2 + len(current) + 1 + len(word) > width:
            lines.append(current)
            current = word
        else:
            current = f"{current} {word}" if current else word
    lines.append(current)
    return "\n".join(f"{indent}# {line}".rstrip() for line in lines)
