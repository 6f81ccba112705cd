"""The little language of ``triage files --where``: ``state=deleted and mime=image/* and not (size<4096 or known=ignorable)``.

A comparison is a field, one of ``= != < <= > >= ~`` and a value; ``~`` means "contains". ``*`` in a value of ``=`` or ``!=`` stands for
anything. Values with spaces or brackets go in quotes. Sizes take units (``10MiB``), times are ISO 8601 (``2024-05-01``).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

from triage.errors import UsageError

TEXT = (
    "id",
    "evidence",
    "path",
    "name",
    "kind",
    "state",
    "recoverability",
    "mime",
    "type",
    "category",
    "known",
    "alike",
    "likeness",
    "outcome",
    "time_basis",
    "parent",
    "link_target",
)
NUMBERS = ("size", "volume", "meta_addr", "score", "entropy", "uid", "gid", "mode", "nlink", "depth")
TIMES = ("mtime", "atime", "ctime", "crtime")
DIGESTS = ("md5", "sha1", "sha256")
FLAGS = ("extension_mismatch", "resident", "encrypted", "orphan", "spared")
FIELDS = TEXT + NUMBERS + TIMES + DIGESTS + FLAGS

_TOKEN = re.compile(
    r"""\s*(?:(?P<paren>[()])|(?P<op><=|>=|!=|=|<|>|~)|"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<word>[^\s()=<>!~"']+))"""
)
_SIZE = re.compile(r"(-?\d+(?:\.\d+)?)\s*([kmgt]i?)?b?", re.IGNORECASE)
_LARGEST = 2**63 - 1
_DIGITS = 40
_LONGEST, _MOST, _DEEPEST = 10_000, 1000, 10
"""Characters, words and nested brackets of a condition: SQLite's own limits lie above."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS = {"k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


def compile_where(text: str) -> tuple[str, list[Any]]:
    """Return SQL for the ``files`` view and its parameters; raise ``UsageError`` that points at what is wrong."""
    parser = _Parser(text)
    sql = parser.either()
    if parser.position < len(parser.tokens):
        raise parser.fault(f"unexpected {parser.tokens[parser.position][1]!r}")
    return sql, parser.parameters


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, str]] = []
        self.position = 0
        self.parameters: list[Any] = []
        self._depth = 0
        at = 0
        if len(text) > _LONGEST or re.search("[\ud800-\udfff]", text):
            raise self.fault("it is too long" if len(text) > _LONGEST else "it is not text")
        while at < len(text.rstrip()):
            match = _TOKEN.match(text, at)
            if not match:
                raise self.fault(f"cannot read {text[at : at + 20]!r}")
            kind = match.lastgroup or "word"
            self.tokens.append(("value" if kind in ("double", "single") else kind, match[kind]))
            at = match.end()
        if len(self.tokens) > _MOST:
            raise self.fault("it is too long")

    def fault(self, message: str) -> UsageError:
        return UsageError(f"--where: {message}", hint="like: state=deleted and mime=image/*")

    def _peek(self, word: str) -> bool:
        return self.position < len(self.tokens) and self.tokens[self.position] in (("word", word), ("paren", word))

    def _take(self) -> tuple[str, str]:
        if self.position >= len(self.tokens):
            raise self.fault("it ends too early")
        self.position += 1
        return self.tokens[self.position - 1]

    def either(self) -> str:
        parts = [self.both()]
        while self._peek("or"):
            self._take()
            parts.append(self.both())
        return parts[0] if len(parts) == 1 else "(" + " OR ".join(parts) + ")"

    def both(self) -> str:
        parts = [self.one()]
        while self._peek("and"):
            self._take()
            parts.append(self.one())
        return parts[0] if len(parts) == 1 else "(" + " AND ".join(parts) + ")"

    def one(self) -> str:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self.fault("too many brackets")
        try:
            if self._peek("not"):
                self._take()
                return f"NOT {self.one()}"
            if self._peek("("):
                self._take()
                inner = self.either()
                if not self._peek(")"):
                    raise self.fault("a bracket is not closed")
                self._take()
                return f"({inner})"
            return self.comparison()
        finally:
            self._depth -= 1

    def comparison(self) -> str:
        kind, name = self._take()
        if kind != "word" or name not in FIELDS:
            import difflib  # noqa: PLC0415

            near = difflib.get_close_matches(name, FIELDS, 1)
            raise self.fault(f"no field {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
        kind, operator = self._take()
        if kind != "op":
            raise self.fault(f"{name} needs one of = != < <= > >= ~ after it")
        kind, value = self._take()
        if kind not in ("word", "value"):
            raise self.fault(f"{name}{operator} needs a value")
        return self._sql(name, operator, value)

    def _sql(self, name: str, operator: str, value: str) -> str:
        if name in FLAGS:
            if value not in ("true", "false") or operator not in ("=", "!="):
                raise self.fault(f"{name} is true or false")
            wanted = (value == "true") == (operator == "=")
            column = "extension_mismatch(name, type)" if name == "extension_mismatch" else name
            return f"{column} = {int(wanted)}"
        if value == "null" and operator in ("=", "!="):
            return f"{name} IS {'NOT ' if operator == '!=' else ''}NULL"
        if name in TEXT:
            return self._text(name, operator, value)
        if operator == "~":
            raise self.fault(f"~ is for text, not for {name}")
        if name in DIGESTS:
            try:
                self.parameters.append(bytes.fromhex(value))
            except ValueError:
                raise self.fault(f"{value!r} is not a digest in hexadecimal") from None
        elif name in TIMES:
            self.parameters.append(_nanoseconds(value, self))
        else:
            self.parameters.append(_number(value, self))
        return f"{name} {operator} ?" if operator != "!=" else f"({name} IS NULL OR {name} != ?)"

    def _text(self, name: str, operator: str, value: str) -> str:
        if operator == "~":
            self.parameters.append(value)
            return f"instr(lower({name}), lower(?)) > 0"
        if operator in ("=", "!="):
            glob = "*" in value
            self.parameters.append(re.sub(r"([\[?])", r"[\1]", value) if glob else value)
            if operator == "=":
                return f"{name} GLOB ?" if glob else f"{name} = ?"
            return f"({name} IS NULL OR {name} NOT GLOB ?)" if glob else f"({name} IS NULL OR {name} != ?)"
        self.parameters.append(value)
        return f"{name} {operator} ?"


def _number(value: str, parser: _Parser) -> float | int:
    match = _SIZE.fullmatch(value)
    if not match:
        raise parser.fault(f"{value!r} is not a number or size")
    scaled = Fraction(match[1][: _DIGITS + 1]) * _UNITS.get((match[2] or "").lower(), 1)
    if len(match[1]) > _DIGITS or abs(scaled) > _LARGEST:
        raise parser.fault(f"{value[:_DIGITS]!r} is too large")
    return int(scaled) if scaled.denominator == 1 else float(scaled)


def _nanoseconds(value: str, parser: _Parser) -> int:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise parser.fault(f"{value!r} is not a time like 2024-05-01 or 2024-05-01T12:30:00") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    nanoseconds = (moment - _EPOCH) // timedelta(microseconds=1) * 1000
    return max(-_LARGEST, min(nanoseconds, _LARGEST))  # the case holds no time outside of this
