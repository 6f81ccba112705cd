"""What may stand at a place of a profile: how it is read, written back, and explained to an editor.

A record of a profile is a dataclass whose fields carry a :class:`Form` (:func:`place`). Reading, the JSON
form and the JSON schema all come from these same fields, so none of the three can say something else than the
other two.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import MISSING, Field, dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from triage.priority.globs import MAX_GLOB, check_glob
from triage.priority.units import parse_duration, parse_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from enum import StrEnum

    from triage.priority.yamlfile import Value

Json = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Form:
    """How one kind of value is read (raises ``ProfileError`` with its place), JSON schema and JSON form."""

    read: Callable[[Value], Any]
    schema: Json
    write: Callable[[Any], Any] = lambda value: value


def place(form: Form, about: str, *, default: Any = MISSING, key: str | None = None) -> Any:
    """Return a dataclass field: its form, what it is for, and its key in the file if not its name."""
    metadata = {"form": form, "about": about, "key": key}
    if isinstance(default, dict):
        return field(default_factory=default.copy, metadata=metadata)
    return field(default=default, metadata=metadata)


def is_required(spec: Field[Any]) -> bool:
    """Say whether a field of :func:`place` has no default."""
    return spec.default is MISSING and spec.default_factory is MISSING


def keys_of(record: type) -> dict[str, Field[Any]]:
    """Return a record's keys as they stand in the file, in order."""
    return {f.metadata["key"] or f.name: f for f in fields(record) if "form" in f.metadata}


def unknown(value: Value, name: str, known: Iterable[str], where: str) -> Exception:
    """Return the error for a word that is none of those known, with the nearest of them."""
    names = sorted(known)
    near = difflib.get_close_matches(name[:80], names, n=1, cutoff=0.5)
    hint = f"did you mean '{near[0]}'? " if near else ""
    return value.error(f"unknown {where} '{name}'", hint=f"{hint}known: {', '.join(names)}", at_key=where.startswith("key"))


def _scalar(value: Value, wanted: str) -> str:
    if not isinstance(value.data, str):
        have = "a list" if isinstance(value.data, list) else "a mapping"
        raise value.error(f"{wanted} is wanted here, not {have}")
    if value.is_absent():
        raise value.error(f"{wanted} is wanted here, but nothing stands here", at_key=True)
    return value.data


def _parsed(wanted: str, parse: Callable[[str], Any]) -> Callable[[Value], Any]:
    def read(value: Value) -> Any:
        text = _scalar(value, wanted)
        try:
            return parse(text)
        except ValueError as error:
            raise value.error(str(error)) from error

    return read


def text(wanted: str = "text", *, longest: int = 2000) -> Form:
    """Return the form of a scalar that stays as it is written, whatever YAML would make of it."""

    def parse(written: str) -> str:
        if len(written) > longest:
            raise ValueError(f"{wanted} of {len(written)} characters is too long (at most {longest})")
        return written.strip()

    return Form(_parsed(wanted, parse), {"type": "string", "maxLength": longest})


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def name() -> Form:
    """Return the form of a word that names something: letters, digits, ``_``, ``.`` and ``-``."""

    def parse(written: str) -> str:
        if not _NAME.fullmatch(written):
            raise ValueError(f"'{written}' is not a name: write letters, digits, '_', '.' or '-' (at most 64)")
        return written

    return Form(_parsed("a name", parse), {"type": "string", "pattern": f"^{_NAME.pattern}$"})


def size() -> Form:
    """Return the form of a size in bytes."""
    return Form(_parsed("a size", parse_size), {"type": ["string", "integer"], "examples": ["64 MiB", "2 GB", 4096]})


def duration() -> Form:
    """Return the form of a duration in seconds."""

    def parse(written: str) -> float:
        seconds = parse_duration(written)
        if seconds <= 0:
            raise ValueError("a duration must be longer than nothing")
        return seconds

    return Form(_parsed("a duration", parse), {"type": ["string", "number"], "examples": ["10s", "1h30m"]})


def whole(least: int, most: int, *, words: dict[str, int] | None = None) -> Form:
    """Return the form of a whole number within bounds; ``words`` stand for numbers."""

    def parse(written: str) -> int:
        if words and written in words:
            return words[written]
        if not re.fullmatch(r"[+-]?(0|[1-9][0-9]{0,18})", written):
            also = f" or {', '.join(words)}" if words else ""
            raise ValueError(f"'{written}' is not a whole number{also}")
        if not least <= int(written) <= most:
            raise ValueError(f"{written} is out of range: {least} to {most}")
        return int(written)

    schema: Json = {"type": "integer", "minimum": least, "maximum": most}
    if not words:
        return Form(_parsed("a whole number", parse), schema)
    spelled = {number: word for word, number in words.items()}
    return Form(
        _parsed("a whole number", parse),
        {"anyOf": [schema, {"enum": sorted(words)}]},
        lambda number: spelled.get(number, number),
    )


def number(least: float, most: float) -> Form:
    """Return the form of a number with at most four decimals, within bounds."""

    def parse(written: str) -> float:
        if not re.fullmatch(r"(0|[1-9][0-9]{0,9})(\.[0-9]{1,4})?", written):
            raise ValueError(f"'{written}' is not a number")
        if not least <= float(written) <= most:
            raise ValueError(f"{written} is out of range: {least:g} to {most:g}")
        return float(written)

    return Form(_parsed("a number", parse), {"type": "number", "minimum": least, "maximum": most})


def flag() -> Form:
    """Return the form of a truth value.

    ``yes``, ``no``, ``on`` and ``off`` are refused rather than guessed at.
    """

    def parse(written: str) -> bool:
        if written not in ("true", "false"):
            raise ValueError(f"'{written}' is neither true nor false")
        return written == "true"

    return Form(_parsed("true or false", parse), {"type": "boolean"})


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment() -> Form:
    """Return the form of a date or a time in UTC, held as nanoseconds since 1970."""

    def parse(written: str) -> int:
        zoned = re.fullmatch(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2})?Z)?", written, re.ASCII)
        if zoned is None:
            raise ValueError(f"'{written}' is not a date: write 2026-01-31 or 2026-01-31T23:59:00Z (UTC)")
        try:
            when = datetime.fromisoformat(written)
        except ValueError:
            raise ValueError(f"'{written}' is not a date of the calendar") from None
        return (when.replace(tzinfo=UTC) - _EPOCH) // timedelta(seconds=1) * 1_000_000_000

    def write(nanoseconds: int) -> str:
        return (_EPOCH + timedelta(seconds=nanoseconds // 1_000_000_000)).strftime("%Y-%m-%dT%H:%M:%SZ").zfill(20)

    return Form(
        _parsed("a date", parse),
        {"type": "string", "examples": ["2026-01-31", "2026-01-31T23:59:00Z"]},
        lambda value: None if value is None else write(value),
    )


def choice(known: Iterable[str] | type[StrEnum], what: str) -> Form:
    """Return the form of one of a few words."""
    words = tuple(str(word) for word in known)

    def read(value: Value) -> str:
        written = _scalar(value, f"a {what}")
        if written not in words:
            raise unknown(value, written, words, what)
        return written

    return Form(read, {"enum": list(words)})


def glob() -> Form:
    """Return the form of a path pattern; see :mod:`triage.priority.globs`."""
    return Form(_parsed("a path pattern", check_glob), {"type": "string", "minLength": 1, "maxLength": MAX_GLOB})


def extension() -> Form:
    """Return the form of a file name's extension, held in lower case without the dot."""

    def parse(written: str) -> str:
        bare = written.removeprefix("*").removeprefix(".").lower()
        if not re.fullmatch(r"[^\s./*?:\[\]]{1,16}", bare):
            raise ValueError(f"'{written}' is not an extension: write jpg, not a pattern")
        return bare

    return Form(_parsed("an extension", parse), {"type": "string", "minLength": 1, "maxLength": 18})


def word() -> Form:
    """Return the form of a word that somebody else gives meaning to: a type's or a finding's name."""

    def parse(written: str) -> str:
        if not re.fullmatch(r"[a-z0-9][a-z0-9 _.+-]{0,63}", written):
            raise ValueError(f"'{written}' is not a name of this kind: write lower-case letters and digits")
        return written

    return Form(_parsed("a name", parse), {"type": "string", "pattern": "^[a-z0-9][a-z0-9 _.+-]{0,63}$"})


def several(form: Form, *, most: int = 2000, alone: bool = True) -> Form:
    """Return the form of a list; ``alone``: one value may stand for a list of it."""

    def read(value: Value) -> tuple[Any, ...]:
        if value.is_absent():
            return ()
        if isinstance(value.data, list):
            if len(value.data) > most:
                raise value.error(f"a list of {len(value.data)} is too long (at most {most})")
            return tuple(form.read(item) for item in value.data)
        if not alone:
            raise value.error("a list is wanted here", at_key=True)
        return (form.read(value),)

    listed = {"type": "array", "items": form.schema, "maxItems": most}
    return Form(read, {"anyOf": [form.schema, listed]} if alone else listed, lambda v: [form.write(x) for x in v])


def record(cls: type[T], *, where: str, short: tuple[str, Form] | None = None) -> Form:
    """Return the form of a mapping that is read into a dataclass.

    ``short``: a list or a scalar stands for the mapping with only this key.
    """

    def read(value: Value) -> T:
        known = keys_of(cls)
        if short is not None and not isinstance(value.data, dict) and not value.is_absent():
            key, form = short
            return cls(**{known[key].name: form.read(value)})
        if value.is_absent():
            value.data = {}
        if not isinstance(value.data, dict):
            raise value.error(f"{where}: a mapping (key: value) is wanted here", at_key=True)
        read_already: dict[str, Any] = {}
        for key, inner in value.data.items():
            if key not in known:
                raise unknown(inner, key, known, f"key in {where}:")
            spec = known[key]
            if inner.is_absent() and not is_required(spec):
                continue
            read_already[spec.name] = spec.metadata["form"].read(inner)
        missing = [key for key, f in known.items() if is_required(f) and f.name not in read_already]
        if missing:
            raise value.error(f"{where}: '{missing[0]}' is missing")
        try:
            return cls(**read_already)
        except ValueError as error:
            raise value.error(f"{where}: {error}") from error

    schema = record_schema(cls)
    return Form(read, {"anyOf": [short[1].schema, schema]} if short else schema, write_record)


def write_record(value: Any) -> Json:
    """Return a record's JSON form, with the keys and shapes of the file. What says nothing is left out."""
    written = ((key, f.metadata["form"].write(getattr(value, f.name))) for key, f in keys_of(type(value)).items())
    return {key: plain for key, plain in written if plain is not None and plain not in ([], {})}


def record_schema(cls: type) -> Json:
    """Return a record's JSON schema."""
    known = keys_of(cls)
    schema: Json = {
        "type": "object",
        "properties": {key: {"description": f.metadata["about"], **f.metadata["form"].schema} for key, f in known.items()},
        "additionalProperties": False,
    }
    required = [key for key, f in known.items() if is_required(f)]
    return {**schema, "required": required} if required else schema
