"""Plain values out of Python's pickles (protocols 0 to 5), calling nothing: what would be an object is its class's name and its state.

A pickle is a program for a stack machine (``pickletools`` in Python's library describes each operation). Here the operations that make
objects put an :class:`Instance` on the stack, whatever they name; no class is looked up and nothing is imported.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field
from typing import Any

from triage.artifacts.structure import StructureError

_MOST_OPERATIONS, _LONGEST_LINE = 2_000_000, 1 << 20


@dataclass(slots=True)
class Instance:
    """What stands for an object. ``name``: its class as the pickle calls it; ``state``: its attributes; ``given``: what it was made of."""

    name: str
    given: Any = None
    state: dict[Any, Any] = field(default_factory=dict)


class _Mark:
    pass


_MARK = _Mark()
_SIZED = {  # how many bytes say how long the value is, and whether it is text
    "T": (4, False), "U": (1, False), "B": (4, False), "C": (1, False), "\x8e": (8, False), "\x96": (8, False), "X": (4, True),
    "\x8c": (1, True), "\x8d": (8, True),
}  # fmt: skip
_ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_ESCAPED = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}
_NUMBERS = {"K": "<B", "M": "<H", "J": "<i", "G": ">d"}
_CONSTANTS = {"N": None, "\x88": True, "\x89": False}
_TUPLES = {"\x85": 1, "\x86": 2, "\x87": 3}
_IGNORED = {"\x80": 1, "\x95": 8}


def read_pickle(data: bytes) -> Any:
    """Return the value of the first pickle in ``data``; text of old Pythons is bytes. Raises :class:`StructureError` for what is none."""
    machine = _Machine(data)
    try:
        return machine.run()
    except (IndexError, KeyError, ValueError, TypeError, struct.error, OverflowError) as error:
        if isinstance(error, StructureError):
            raise
        raise StructureError(f"a pickle that is damaged at byte {machine.at:,}") from error


class _Machine:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        for _ in range(_MOST_OPERATIONS):
            operation = chr(self._take(1)[0])
            if operation == ".":
                return self.stack[-1]
            if not (self._value(operation) or self._container(operation) or self._kept(operation) or self._object(operation)):
                raise StructureError(f"a pickle with an operation that is not read, at byte {self.at - 1:,}")
        raise StructureError("a pickle of more operations than are read")

    def _take(self, length: int) -> bytes:
        end = self.at + length
        if end > len(self.data):
            raise StructureError("a pickle that breaks off")
        piece = self.data[self.at : end]
        self.at = end
        return piece

    def _number(self, length: int) -> int:
        return int.from_bytes(self._take(length), "little")

    def _line(self) -> bytes:
        end = self.data.find(b"\n", self.at, self.at + _LONGEST_LINE)
        if end < 0:
            raise StructureError("a pickle with a line that does not end")
        return self._take(end + 1 - self.at)[:-1]

    def _above_mark(self) -> list[Any]:
        """Take what lies above the last mark, and the mark."""
        found = []
        while (value := self.stack.pop()) is not _MARK:
            found.append(value)
        return found[::-1]

    def _value(self, operation: str) -> bool:
        if operation in _SIZED:
            width, text = _SIZED[operation]
            raw = self._take(self._number(width))
            self.stack.append(raw.decode("utf-8", "replace") if text else raw)
        elif operation in _NUMBERS:
            form = _NUMBERS[operation]
            self.stack.append(struct.unpack(form, self._take(struct.calcsize(form)))[0])
        elif operation in _CONSTANTS:
            self.stack.append(_CONSTANTS[operation])
        elif operation in ("\x8a", "\x8b"):
            raw = self._take(self._number(1 if operation == "\x8a" else 4))
            self.stack.append(int.from_bytes(raw[:64], "little", signed=True))
        elif operation in ("I", "L"):
            line = self._line().rstrip(b"L")
            self.stack.append({b"00": False, b"01": True}[line] if line in (b"00", b"01") else int(line[:64]))
        elif operation == "F":
            self.stack.append(float(self._line()[:64]))
        elif operation == "S":
            self.stack.append(_ESCAPE.sub(_unescaped, self._line().strip()[1:-1]))
        elif operation == "V":
            self.stack.append(self._line().decode("raw_unicode_escape"))
        else:
            return False
        return True

    def _container(self, operation: str) -> bool:
        if operation == "(":
            self.stack.append(_MARK)
        elif operation == ")":
            self.stack.append(())
        elif operation in _TUPLES:
            count = _TUPLES[operation]
            self.stack[-count:] = [tuple(self.stack[-count:])]
        elif operation in "tl":
            values = self._above_mark()
            self.stack.append(tuple(values) if operation == "t" else values)
        elif operation in "]\x8f":
            self.stack.append([])
        elif operation == "}":
            self.stack.append({})
        elif operation == "d":
            self.stack.append(_pairs(self._above_mark()))
        elif operation == "a":
            value = self.stack.pop()
            self._extend([value])
        elif operation in "e\x90":
            self._extend(self._above_mark())
        elif operation == "\x91":
            self.stack.append(self._above_mark())
        elif operation == "s":
            value, key = self.stack.pop(), self.stack.pop()
            self._update([key, value])
        elif operation == "u":
            self._update(self._above_mark())
        else:
            return False
        return True

    def _extend(self, values: list[Any]) -> None:
        if isinstance(self.stack[-1], list):
            self.stack[-1].extend(values)

    def _update(self, values: list[Any]) -> None:
        last = self.stack[-1]
        table = last.state if isinstance(last, Instance) else last
        if isinstance(table, dict):
            table.update(_pairs(values))

    def _kept(self, operation: str) -> bool:
        if operation in ("p", "q", "r", "\x94"):
            number = len(self.memo) if operation == "\x94" else self._index(operation)
            self.memo[number] = self.stack[-1]
        elif operation in ("g", "h", "j"):
            self.stack.append(self.memo[self._index(operation)])
        elif operation in _IGNORED:
            self._take(_IGNORED[operation])
        elif operation == "0":
            self.stack.pop()
        elif operation == "1":
            self._above_mark()
        elif operation == "2":
            self.stack.append(self.stack[-1])
        else:
            return False
        return True

    def _index(self, operation: str) -> int:
        return int(self._line()[:20]) if operation in "pg" else self._number(1 if operation in "qh" else 4)

    def _object(self, operation: str) -> bool:
        if operation == "c":
            self.stack.append(Instance(self._name()))
        elif operation == "\x93":
            name, module = self.stack.pop(), self.stack.pop()
            self.stack.append(Instance(f"{module}.{name}"[:300]))
        elif operation == "i":
            name = self._name()
            self.stack.append(Instance(name, tuple(self._above_mark())))
        elif operation == "o":
            first, *rest = self._above_mark()
            self.stack.append(_made(first, tuple(rest)))
        elif operation in ("R", "\x81"):
            given, kind = self.stack.pop(), self.stack.pop()
            self.stack.append(_made(kind, given))
        elif operation == "\x92":
            self.stack.pop()
            given, kind = self.stack.pop(), self.stack.pop()
            self.stack.append(_made(kind, given))
        elif operation == "b":
            state = self.stack.pop()
            if isinstance(state, tuple) and len(state) == 2:
                state = state[0] or state[1]
            if isinstance(state, dict) and isinstance(self.stack[-1], Instance):
                self.stack[-1].state.update(state)
        elif operation in "PQ":
            self.stack.append(Instance("kept elsewhere", self._line() if operation == "P" else self.stack.pop()))
        else:
            return False
        return True

    def _name(self) -> str:
        module, name = self._line(), self._line()
        return f"{module.decode('utf-8', 'replace')}.{name.decode('utf-8', 'replace')}"[:300]


def _unescaped(match: re.Match[bytes]) -> bytes:
    return bytes([int(match[1], 16)]) if match[1] else _ESCAPED.get(match[2], match[2])


def _made(kind: Any, given: Any) -> Instance:
    """Return what stands for an object of a class; of ``copyreg``'s help the class that it names."""
    name = kind.name if isinstance(kind, Instance) else "something"
    if name.endswith("_reconstructor") and isinstance(given, tuple) and given and isinstance(given[0], Instance):
        return Instance(given[0].name)
    return Instance(name, given)


def _pairs(values: list[Any]) -> dict[Any, Any]:
    """Return keys and values that alternate; keys that are no plain values are left out."""
    plain = (str, bytes, int, float, bool, type(None))
    return {key: value for key, value in zip(values[::2], values[1::2], strict=False) if isinstance(key, plain)}
