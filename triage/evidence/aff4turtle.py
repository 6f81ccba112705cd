"""The Turtle in which AFF4 containers describe what they hold, as far as they use it (W3C, RDF 1.1 Turtle, 2).

Statements become a table: subject → name of the property without its prefix → values. Names keep neither prefix nor namespace: the standard
and what came before it differ in those alone.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

Table = dict[str, dict[str, list[str]]]
_TOKEN = re.compile(
    r"""(?P<space>\s+|\#[^\n]*)|<(?P<iri>[^<>\s]*)>|\"\"\"(?P<long>(?:[^\"\\]|\\.|\"(?!\"\"))*)\"\"\"|\"(?P<text>(?:[^\"\\]|\\.)*)\""""
    r"""|(?P<type>\^\^)|(?P<mark>[;,])|(?P<word>[^\s;,<>\"]+)""",
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_PLAIN = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_MOST_STATEMENTS = 1_000_000


class TurtleError(ValueError):
    """Text that is no Turtle, or uses what AFF4 does not."""


def parse_turtle(text: str) -> Table:
    """Return what a document states. Raises :class:`TurtleError`."""
    table: Table = {}
    prefixes: dict[str, str] = {}
    statement: list[tuple[str, str]] = []
    many = 0
    for kind, value in _tokens(text):
        if kind != "end":
            statement.append((kind, value))
            continue
        if statement:
            many += 1
            if many > _MOST_STATEMENTS:
                raise TurtleError("it states more than is read")
            _state(statement, prefixes, table)
        statement = []
    if statement:
        raise TurtleError("its description is cut off")
    return table


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise TurtleError("its description is damaged")
        at = match.end()
        kind = match.lastgroup or ""
        value = match[kind]
        if kind == "space":
            continue
        if kind == "word" and value.endswith("."):
            if value != ".":
                yield "word", value.rstrip(".")
            yield "end", ""
        elif kind in ("long", "text"):
            yield "text", _ESCAPE.sub(_unescape, value)
        else:
            yield kind, value


def _unescape(match: re.Match[str]) -> str:
    code = match[1] or match[2]
    if code is None:
        return _PLAIN.get(match[3], match[3])
    number = int(code, 16)
    return chr(number) if number < 0xD800 or 0xDFFF < number <= 0x10FFFF else "�"


def _state(statement: list[tuple[str, str]], prefixes: dict[str, str], table: Table) -> None:
    kind, value = statement[0]
    if (kind, value) == ("word", "@prefix"):
        if len(statement) > 2 and statement[2][0] == "iri":
            prefixes[statement[1][1].removesuffix(":")] = statement[2][1]
        return
    if kind == "word" and value == "@base":
        return
    subject = table.setdefault(_name(kind, value, prefixes), {})
    predicate, typed = "", False
    for kind, value in statement[1:]:
        if kind == "mark":
            predicate = "" if value == ";" else predicate
        elif kind == "type":
            typed = True
        elif typed or (kind == "word" and value.startswith("@")):
            typed = False
            if predicate and subject.get(predicate) and kind == "word":
                _digest(subject, predicate, value)
        elif not predicate:
            predicate = "a" if (kind, value) == ("word", "a") else local(_name(kind, value, prefixes))
        else:
            subject.setdefault(predicate, []).append(_name(kind, value, prefixes))


def _digest(subject: dict[str, list[str]], predicate: str, kind: str) -> None:
    """Note a digest under the name of its kind, too: ``"…"^^aff4:SHA1`` under ``hash:SHA1``."""
    if predicate in ("hash", "linearBlockHash"):
        subject.setdefault(f"{predicate}:{kind.rpartition(':')[2]}", []).append(subject[predicate][-1])


def _name(kind: str, value: str, prefixes: dict[str, str]) -> str:
    if kind != "word":
        return value
    prefix, colon, rest = value.partition(":")
    return prefixes[prefix] + rest if colon and prefix in prefixes else value


def local(name: str) -> str:
    """Return a name without its namespace: what follows the last ``#`` or ``/``."""
    return re.split(r"[#/]", name)[-1]
