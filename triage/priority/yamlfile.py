"""A strict reader of YAML files that people write: every value keeps its line, and every scalar stays text.

Plain YAML turns ``no`` into false, ``0755`` into 493, ``1:30`` into 90 and a date into an object, and keeps
the last of two equal keys without a word (YAML 1.1). Here the one who asks for a value decides what it is,
and two equal keys are an error. Anchors, aliases, tags and several documents in a file are refused: a profile
needs none of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from triage.errors import ProfileError, UsageError
from triage.escape import show

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES = 1 << 20
"""The largest file, in bytes."""
MAX_DEPTH = 12
"""How deep lists and mappings may stand in each other."""
MAX_NODES = 50_000
"""How many keys and values a file may hold."""

MAX_SHOWN = 300
"""How much of a message is shown: what stands in the file may be long."""
_QUOTE = "put text that begins with * or & in quotes: '*/Users/*'"


@dataclass(slots=True)
class Value:
    """A scalar's text, a list or a mapping, and where it stands.

    ``quoted``: the scalar was, so it is meant as text.
    """

    source: str
    line: int
    data: str | list[Value] | dict[str, Value]
    quoted: bool = False
    key_line: int = 0

    def error(self, message: str, *, hint: str | None = None, at_key: bool = False) -> ProfileError:
        """Return the error for this place: ``file:line: message``."""
        line = self.key_line if at_key and self.key_line else self.line
        shown = show(message)
        shown = shown if len(shown) <= MAX_SHOWN else shown[:MAX_SHOWN] + "…"
        return ProfileError(f"{show(self.source)}:{line}: {shown}", hint=None if hint is None else show(hint))

    def is_absent(self) -> bool:
        """Say whether nothing stands there: ``key:`` with no value, or ``null``."""
        return isinstance(self.data, str) and not self.quoted and self.data in ("", "~", "null")

    def plain(self) -> Any:
        """Return JSON values, for data that is somebody else's to judge: a plugin's options.

        Scalars are read as JSON would read them, so ``true`` is a truth value and ``no`` or ``0755`` is text.
        """
        if isinstance(self.data, dict):
            return {key: value.plain() for key, value in self.data.items()}
        if isinstance(self.data, list):
            return [value.plain() for value in self.data]
        return self.data if self.quoted else _json_scalar(self.data)


def _json_scalar(text: str) -> Any:
    if text in ("", "~", "null"):
        return None
    if text in ("true", "false"):
        return text == "true"
    if re.fullmatch(r"-?(0|[1-9][0-9]{0,17})", text):
        return int(text)
    if re.fullmatch(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,17})?([eE][+-]?[0-9]{1,2})?", text):
        return float(text)
    return text


class _Composer(yaml.SafeLoader):
    """PyYAML's scanner and parser, with our own way from its nodes to values."""

    def __init__(self, text: str, source: str) -> None:
        super().__init__(text)
        self.source = source
        self.depth = 0
        self.nodes = 0

    def refuse(self, mark: yaml.Mark, message: str, hint: str | None = None) -> ProfileError:
        return Value(self.source, mark.line + 1, "").error(message, hint=hint)

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise self.refuse(event.start_mark, "anchors (&) and aliases (*) are not read here", _QUOTE)
        if getattr(event, "tag", None):
            raise self.refuse(event.start_mark, f"tags are not read here: '{event.tag}'")
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise self.refuse(event.start_mark, f"more than {MAX_NODES} keys and values")
        if self.depth > MAX_DEPTH:
            raise self.refuse(event.start_mark, f"lists and mappings stand more than {MAX_DEPTH} deep in each other")
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1

    def value(self, node: yaml.Node) -> Value:
        line = node.start_mark.line + 1
        if isinstance(node, yaml.ScalarNode):
            text = str(node.value)
            seen = text.replace("\n", "").replace("\t", "")
            if show(seen) != seen or self.NON_PRINTABLE.search(seen):
                raise self.refuse(node.start_mark, f"characters that cannot be seen are not read here: '{seen[:80]}'")
            return Value(self.source, line, text, quoted=node.style is not None)
        if isinstance(node, yaml.SequenceNode):
            return Value(self.source, line, [self.value(item) for item in node.value])
        found: dict[str, Value] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise self.refuse(key_node.start_mark, "a key must be a word")
            key = self.value(key_node)
            name = str(key.data)
            if name in found:
                raise key.error(f"'{name}' stands here twice; the first is in line {found[name].key_line}")
            found[name] = self.value(value_node)
            found[name].key_line = key.line
        return Value(self.source, line, found)


def read_yaml(text: str, source: str) -> Value:
    """Return the file's one value. ``source`` is the file's name for messages.

    Raises :class:`ProfileError`, and nothing else, for whatever is not YAML or not ours to read.
    """
    if len(text) > MAX_BYTES:
        raise ProfileError(f"{show(source)}:1: larger than {MAX_BYTES} bytes")
    composer = None
    try:
        composer = _Composer(text, source)
        node = composer.get_single_node()
        if node is None:
            raise ProfileError(f"{show(source)}:1: the file is empty")
        return composer.value(node)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ProfileError(f"{show(source)}:{line}: not text: character U+{ord(_character(error)):04X}") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Value(source, mark.line + 1 if mark else 1, "")
        said = ", ".join(part for part in (error.context, error.problem) if part)
        hint = _QUOTE if "alias" in said or "anchor" in said else None
        raise place.error(f"not YAML: {said}", hint=hint) from error
    except (ValueError, OverflowError) as error:  # a "\\Uffffffff" escape, a %YAML directive of 5,000 digits
        line = composer.line + 1 if composer is not None else 1
        raise ProfileError(f"{show(source)}:{line}: not YAML: an escape or a number is out of range") from error
    finally:
        if composer is not None:
            composer.dispose()


def _character(error: yaml.reader.ReaderError) -> str:
    return error.character if isinstance(error.character, str) else chr(error.character)


def read_yaml_file(path: Path) -> Value:
    """Return a file's one value.

    Raises :class:`ProfileError` for its text and :class:`UsageError` if it cannot be read.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot read the profile {show(str(path))}: {error.strerror or error}") from error
    return read_yaml(decode(raw, path.name), path.name)


def decode(raw: bytes, source: str) -> str:
    """Return a file's bytes as text; a byte order mark is passed over. Raises :class:`ProfileError`."""
    if len(raw) > MAX_BYTES:
        raise ProfileError(f"{show(source)}:1: larger than {MAX_BYTES} bytes")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ProfileError(f"{show(source)}:{line}: not UTF-8 text") from error
