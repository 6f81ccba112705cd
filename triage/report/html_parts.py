"""A builder for HTML in which escaping cannot be forgotten.

:func:`tag` escapes every child and attribute that is not :class:`Markup`, and only what comes out of this
module is. It refuses elements, attributes and links that are not on its lists: a slip in a template fails
loudly in the first test and cannot become a hole. Adding a plain string to ``Markup`` gives a plain string,
which is then escaped: slips show, they do not leak.
"""

from __future__ import annotations

import re
from base64 import b64encode
from functools import lru_cache
from typing import TYPE_CHECKING

from triage.escape import markup

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ELEMENTS = frozenset(
    [
        "a",
        "b",
        "bdi",
        "body",
        "br",
        "caption",
        "code",
        "dd",
        "details",
        "div",
        "dl",
        "dt",
        "footer",
        "h1",
        "h2",
        "h3",
        "head",
        "header",
        "html",
        "img",
        "li",
        "main",
        "meta",
        "meter",
        "nav",
        "ol",
        "p",
        "pre",
        "section",
        "small",
        "span",
        "strong",
        "style",
        "summary",
        "table",
        "tbody",
        "td",
        "th",
        "thead",
        "title",
        "tr",
        "ul",
        "wbr",
    ]
)
VOID = frozenset({"br", "img", "meta", "wbr"})
ATTRIBUTES = frozenset(
    [
        "alt",
        "aria-label",
        "aria-current",
        "charset",
        "class",
        "colspan",
        "content",
        "dir",
        "height",
        "href",
        "http-equiv",
        "id",
        "lang",
        "max",
        "min",
        "name",
        "open",
        "rel",
        "role",
        "scope",
        "src",
        "tabindex",
        "value",
        "width",
    ]
)
_LINK = re.compile(r"(?:\.\./)?(?:queue|findings|problems|files)/\d{4,9}\.html|(?:\.\./)?index\.html(?:#[a-z-]+)?|\d{4,9}\.html|#[a-z-]+")
_JPEG = b"\xff\xd8\xff"
_IMAGE = re.compile(r"data:image/jpeg;base64,[A-Za-z0-9+/]+={0,2}")


class Markup(str):
    """Text that is HTML already: made by this module, never from evidence as it is."""

    __slots__ = ()


Child = str | int | None


def text(value: object, limit: int = 0) -> Markup:
    """Return any value as inert text; beyond ``limit`` characters (0: none) it is cut, and the cut is said."""
    whole = str(value)
    if limit and len(whole) > limit:
        return Markup(f'{markup(whole[:limit])}<span class="cut">… {len(whole) - limit:,} more characters, whole in the JSON report</span>')
    return Markup(_child(whole))


def tag(name: str, /, *children: Child, **attributes: str | int | None) -> Markup:
    """Return an element. ``class_`` means ``class``, ``aria_label`` ``aria-label``; ``None`` leaves child or attribute out.

    Raises ``ValueError`` for an element, attribute, link or image source that is not ours.
    """
    opening = _opening if "src" not in attributes else _opening.__wrapped__  # pictures are not worth remembering
    if name in VOID:
        if children:
            raise ValueError(f"{name!r} has no children")
        return Markup(opening(name, tuple(attributes.items())))
    inner = "".join([_child(child) for child in children if child is not None])
    return Markup(f"{opening(name, tuple(attributes.items()))}{inner}</{name}>")


@lru_cache(maxsize=1024)
def _opening(name: str, attributes: tuple[tuple[str, str | int | None], ...]) -> str:
    if name not in ELEMENTS:
        raise ValueError(f"element {name!r} is not on the list")
    rendered = [_attribute(key.rstrip("_").replace("_", "-"), str(value)) for key, value in attributes if value is not None]
    return f"<{name}{''.join(rendered)}>"


@lru_cache(maxsize=4096)
def _short(value: str) -> str:
    """Labels, kinds, type names and the like come again in every row."""
    return markup(value)


def _attribute(name: str, value: str) -> str:
    if name not in ATTRIBUTES:
        raise ValueError(f"attribute {name!r} is not on the list")
    if name == "href" and not _LINK.fullmatch(value):
        raise ValueError("links lead to our own pages only")
    if name == "src" and not _IMAGE.fullmatch(value):
        raise ValueError("pictures are data of our own making only")
    return f' {name}="{markup(value)}"'


def join(parts: Iterable[Child], separator: Child = None) -> Markup:
    """Return the parts one after the other, escaped like children."""
    between = "" if separator is None else _child(separator)
    return Markup(between.join(_child(part) for part in parts if part is not None))


def _child(value: Child) -> str:
    if isinstance(value, Markup):
        return value
    return _short(value) if isinstance(value, str) and len(value) < 40 else markup(value)


def picture(jpeg: bytes | None, alt: str) -> Markup | None:
    """Return an image with its bytes in it, or ``None`` for what is not a JPEG stream."""
    if not jpeg or not jpeg.startswith(_JPEG):
        return None
    return tag("img", src="data:image/jpeg;base64," + b64encode(jpeg).decode("ascii"), alt=alt, class_="thumb")


def path(value: object, limit: int = 1000) -> Markup:
    """Return a path that wraps behind its slashes, its last part in bold, kept left to right."""
    whole = str(value or "")
    if len(whole) > limit:
        return tag("bdi", text(whole, limit), dir="ltr", class_="path")
    folder, slash, name = whole.rpartition("/")
    if not name:
        folder, slash, name = "", "", whole
    wrapped = Markup(markup(folder + slash).replace("/", "/<wbr>"))  # no entity holds a slash
    return tag("bdi", wrapped, tag("b", name), dir="ltr", class_="path")


def raw(value: object, limit: int = 600) -> Markup:
    """Return text from evidence that is not a path, kept left to right."""
    return tag("bdi", text(value, limit), dir="ltr")


def badge(label: object, tone: str = "") -> Markup:
    """Return a short label. ``tone`` is one of ours (``bad``, ``warn``, ``good``, ``quiet``), never from evidence."""
    return tag("span", text(label, 80), class_=f"badge {tone}".rstrip())


def facts(pairs: Iterable[tuple[Child, Child]], class_: str = "facts") -> Markup:
    """Return a list of names and values; pairs without a value are left out."""
    parts = [join((tag("dt", key), tag("dd", value))) for key, value in pairs if value not in (None, "")]
    return tag("dl", *parts, class_=class_) if parts else Markup("")


def table(
    label: str,
    head: Sequence[tuple[str, str]],
    rows: Iterable[Markup],
    *,
    class_: str = "",
    tall: bool = False,
) -> Markup:
    """Return a table in a box that scrolls. ``head`` pairs titles with the class of their column."""
    cells = [tag("th", title, scope="col", class_=name or None) for title, name in head]
    body = tag(
        "table",
        tag("caption", label),
        tag("thead", tag("tr", *cells)),
        tag("tbody", *rows),
        class_=class_ or None,
    )
    return tag("div", body, class_="box tall" if tall else "box", role="region", aria_label=label, tabindex=0)


def row(*cells: tuple[Child, str] | Child) -> Markup:
    """Return a table row; a cell is its content, or content and class."""
    return tag("tr", *(tag("td", c[0], class_=c[1] or None) if isinstance(c, tuple) else tag("td", c) for c in cells))


def page_name(page: int) -> str:
    """Return the file name of a list's page, counted from 1."""
    return f"{page:04d}.html"
