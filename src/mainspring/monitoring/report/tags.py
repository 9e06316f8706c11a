"""HTML and SVG written so that nothing can be left unescaped by mistake: what is no `Html` is text."""

from __future__ import annotations

import html
from collections.abc import Iterable

_VOID = ("meta", "br")


def escaped(text: str) -> str:
    r"""Text as HTML shows it; what would control or turn it, or is no character, is shown as its code.

    Examples:
        >>> escaped("<b>\u202e")
        '&lt;b&gt;\\u202e'
    """
    if not text.isprintable():
        text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return html.escape(text)


class Html(str):
    """Markup of our own making."""

    __slots__ = ()


Child = str | None | Iterable["Child"]


def tag(name: str, /, *children: Child, **attributes: str | int | float | None) -> Html:
    """An element. `None` is no attribute and no child; `class_` is `class`, `aria_label` is `aria-label`.

    Examples:
        >>> tag("p", "1 < 2", tag("b", "&"), class_="a", title=None)
        '<p class="a">1 &lt; 2<b>&amp;</b></p>'
        >>> tag("path", d="M0 0", aria_hidden="true")
        '<path d="M0 0" aria-hidden="true"></path>'
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escaped(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Html(f"<{name}{written}>")
    return Html(f"<{name}{written}>{joined(*children)}</{name}>")


def joined(*children: Child) -> Html:
    """One after the other, text escaped.

    Examples:
        >>> joined("a", None, ["<", Html("<br>")])
        'a&lt;<br>'
    """
    parts = []
    for child in children:
        if child is None:
            continue
        if isinstance(child, Html):
            parts.append(str(child))
        elif isinstance(child, str):
            parts.append(escaped(child))
        else:
            parts.append(str(joined(*child)))
    return Html("".join(parts))
