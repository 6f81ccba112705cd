"""Stores of Outlook (PST, OST) that tests build, in all layouts and with all ways in which blocks are hidden; libpff reads them, too."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field

from triage.artifacts import pstcodec

STORE, NAMES, ROOT, INBOX, WASTE = 0x21, 0x61, 0x122, 0x8022, 0x8042
TIME = 133_500_000_000_000_000

Value = str | bytes | int | tuple[int]
Values = dict[int, Value]


@dataclass
class Attachment:
    """``data``: its bytes, or the message that is attached."""

    name: str
    data: bytes | Message
    values: Values = field(default_factory=dict)


@dataclass
class Message:
    """``listed``: whether the folder lists it."""

    values: Values
    recipients: list[tuple[int, str, str]] = field(default_factory=list)
    attached: list[Attachment] = field(default_factory=list)
    folder: int = INBOX
    listed: bool = True


def checksum(data: bytes) -> int:
    return zlib.crc32(data, 0xFFFFFFFF) ^ 0xFFFFFFFF


def heap(kind: int, pieces: list[bytes], *, large: bool) -> bytes:
    """Return a heap of one block; the first piece is its root."""
    out, places = b"", []
    for piece in pieces:
        places.append(12 + len(out))
        out += piece
    places.append(12 + len(out))
    out += bytes(len(out) % 2)
    del large  # the first block's pieces have the same numbers in both layouts
    head = struct.pack("<HBBII", 12 + len(out), 0xEC, kind, 0x20, 0)
    return head + out + struct.pack(f"<HH{len(places)}H", len(pieces), 0, *places)


class Maker:
    """``version``: 14 (32 bits), 23 (64 bits) or 36 (pages of 4 KiB, packed blocks); ``method``: how blocks are hidden."""

    def __init__(self, version: int = 23, method: int = pstcodec.NONE) -> None:
        self.version, self.method = version, method
        self.wide, self.large = version >= 23, version >= 36
        self.number = "Q" if self.wide else "I"
        self.trailer, self.unit = (24, 512) if self.large else (16, 64) if self.wide else (12, 64)
        self.most = 65_536 - 24 if self.large else 8192 - self.trailer
        self.page, self.meta = (4096, 4056) if self.large else (512, 488 if self.wide else 496)
        self.out = bytearray(0x4600)
        self.blocks: list[tuple[int, int, int]] = []
        self.nodes: list[tuple[int, int, int, int]] = []
        self.next = 4

    def block(self, data: bytes, *, internal: bool = False) -> int:
        number, self.next = self.next | (2 if internal else 0), self.next + 4
        raw = len(data)
        if not internal:
            data = data.translate(pstcodec._R) if self.method == pstcodec.PERMUTE else pstcodec.decode(self.method, data, number)
        if self.large and len(packed := zlib.compress(data)) < len(data):
            data = packed
        at = len(self.out)
        self.blocks.append((number, at, len(data)))
        padding = -(len(data) + self.trailer) % self.unit
        mark = (at ^ number) >> 16 & 0xFFFF ^ (at ^ number) & 0xFFFF
        if self.wide:
            tail = struct.pack("<HHIQ", len(data), mark, checksum(data), number)
            tail += struct.pack("<HHI", 2, raw, 0) if self.large else b""
        else:
            tail = struct.pack("<HHII", len(data), mark, number, checksum(data))
        self.out += data + bytes(padding) + tail
        return number

    def tree(self, data: bytes) -> int:
        """Put data into one block, or into several with a list of them, and a list of lists when there are more than two."""
        pieces = [data[i : i + self.most] for i in range(0, len(data), self.most)]
        numbers = [self.block(piece) for piece in pieces]
        if len(numbers) < 2:
            return numbers[0] if numbers else 0
        lists = [numbers[:2], numbers[2:]] if len(numbers) > 2 else [numbers]
        made = []
        for part in lists:
            size = sum(min(self.most, len(pieces[numbers.index(n)])) for n in part)
            made.append(self.block(struct.pack(f"<BBHI{len(part)}{self.number}", 1, 1, len(part), size, *part), internal=True))
        if len(made) == 1:
            return made[0]
        return self.block(struct.pack(f"<BBHI{len(made)}{self.number}", 1, 2, len(made), len(data), *made), internal=True)

    def below(self, nodes: list[tuple[int, int, int]]) -> int:
        if not nodes:
            return 0
        raw = struct.pack("<BBH", 2, 0, len(nodes)) + (bytes(4) if self.wide else b"")
        return self.block(raw + b"".join(struct.pack(f"<3{self.number}", *one) for one in sorted(nodes)), internal=True)

    def properties(
        self, values: Values, own: list[tuple[int, int, int]] | None = None, objects: dict[int, int] | None = None
    ) -> tuple[int, int]:
        """Return the numbers of the data and own nodes of a node with properties; long values get nodes of their own."""
        own, pieces, rows = list(own or []), [b"", b""], []
        for number, value in sorted({**values, **dict.fromkeys(objects or {}, 0)}.items()):
            if objects and number in objects:
                kind, raw = 0xD, struct.pack("<II", objects[number], 100)
            elif isinstance(value, str):
                kind, raw = (0x1F, value.encode("utf-16-le")) if self.wide else (0x1E, value.encode("cp1252", "replace"))
            elif isinstance(value, bytes):
                kind, raw = 0x102, value
            elif isinstance(value, tuple):
                kind, raw = 0x40, struct.pack("<Q", value[0])
            else:
                kind, raw = 3, struct.pack("<I", value)
            if kind == 3:
                place = int.from_bytes(raw, "little")
            elif len(raw) > 2000:
                place = (0x900 + len(own)) << 5 | 0x1F
                own.append((place, self.tree(raw), 0))
            elif raw:
                pieces.append(raw)
                place = len(pieces) << 5
            else:
                place = 0
            rows.append(struct.pack("<HHI", number, kind, place))
        pieces[0], pieces[1] = struct.pack("<BBBBI", 0xB5, 2, 6, 0, 0x40), b"".join(rows)
        return self.tree(heap(0xBC, pieces, large=self.large)), self.below(own)

    def table(self, columns: list[tuple[int, int]], rows: list[tuple[int, list[bytes]]]) -> tuple[int, int]:
        """Return the data and own nodes of a table: columns of number and type, rows of their number and values."""
        columns = [(0x67F2, 3), (0x67F3, 3), *columns]
        width = 4 * len(columns)
        bits = -(-len(columns) // 8)
        described = b"".join(struct.pack("<HHHBB", kind, number, 4 * n, 4, n) for n, (number, kind) in enumerate(columns))
        pieces, matrix, index = [b"", b"", b"", b""], b"", b""
        for place, (number, values) in enumerate(rows):
            cells = [struct.pack("<I", number), struct.pack("<I", 0)]
            for (_, kind), value in zip(columns[2:], values, strict=True):
                if kind == 3:
                    cells.append(value)
                else:
                    pieces.append(value)
                    cells.append(struct.pack("<I", len(pieces) << 5))
            matrix += b"".join(cells) + b"\xff" * bits
            index += struct.pack("<II" if self.wide else "<IH", number, place)
        pieces[0] = (
            struct.pack("<BBHHHHIII", 0x7C, len(columns), width, width, width, width + bits, 0x40, 0x80 if rows else 0, 0) + described
        )
        pieces[1] = struct.pack("<BBBBI", 0xB5, 4, 4 if self.wide else 2, 0, 0x60 if rows else 0)
        pieces[2], pieces[3] = index, matrix
        return self.tree(heap(0x7C, pieces, large=self.large)), 0

    def message(self, one: Message) -> tuple[int, int]:
        own: list[tuple[int, int, int]] = []
        text = 0x1F if self.wide else 0x1E
        encode = (lambda t: t.encode("utf-16-le")) if self.wide else (lambda t: t.encode("cp1252"))
        rows = [(n, [struct.pack("<I", kind), encode(name), encode(mail)]) for n, (kind, name, mail) in enumerate(one.recipients)]
        own.append((0x692, *self.table([(0x0C15, 3), (0x3001, text), (0x3003, text)], rows)))
        listed: list[tuple[int, list[bytes]]] = []
        for place, file in enumerate(one.attached):
            number = (0x400 + place) << 5 | 5
            if isinstance(file.data, bytes):
                made = self.properties({0x3705: 1, 0x3707: file.name, 0x3701: file.data, **file.values})
            else:
                inner = 0x200 << 5 | 4
                made = self.properties({0x3705: 5, 0x3001: file.name}, [(inner, *self.message(file.data))], {0x3701: inner})
            own.append((number, *made))
            listed.append((number, []))
        if listed:
            own.append((0x671, *self.table([], listed)))
        return self.properties(one.values, own)

    def add(self, number: int, made: tuple[int, int], parent: int = 0) -> None:
        self.nodes.append((number, *made, parent))

    def btree(self, kind: int, rows: list[tuple[int, bytes]]) -> tuple[int, int]:
        """Put a tree of pages, leaves and pages above them; return the number and place of the uppermost."""
        size = len(rows[0][1])
        most = self.meta // size - 1
        level, at = 0, 0
        while True:
            parts = [rows[i : i + most] for i in range(0, len(rows), most)]
            above = []
            for part in parts:
                self.out += bytes(-len(self.out) % self.page)
                at, number = len(self.out), self.next
                self.next += 4
                above.append((part[0][0], struct.pack(f"<3{self.number}", part[0][0], number, at)))
                data = b"".join(raw for _, raw in part).ljust(self.meta, b"\0")
                data += struct.pack("<HHBB10x", len(part), most, size, level) if self.large else bytes((len(part), most, size, level))
                data = data.ljust(self.page - self.trailer, b"\0")
                mark = (at ^ number) >> 16 & 0xFFFF ^ (at ^ number) & 0xFFFF
                if self.wide:
                    tail = struct.pack("<BBHIQ", kind, kind, mark, checksum(data), number).ljust(self.trailer, b"\0")
                else:
                    tail = struct.pack("<BBHII", kind, kind, mark, number, checksum(data))
                self.out += data + tail
            if len(parts) == 1:
                return number, at
            rows, level, size = above, level + 1, 3 * (8 if self.wide else 4)
            most = self.meta // size

    def build(self) -> bytes:
        node = "<QQQII" if self.wide else "<4I"
        rows = [(one[0], struct.pack(node, *one, *([0] if self.wide else []))) for one in sorted(self.nodes)]
        nodes = self.btree(0x81, rows)
        block = "<QQHHI" if self.wide else "<IIHH"
        rows = [(one[0], struct.pack(block, *one, 2, *([0] if self.wide else []))) for one in sorted(self.blocks)]
        blocks = self.btree(0x80, rows)
        self.out += bytes(-len(self.out) % 4096)
        head = bytearray(580)
        struct.pack_into("<4sI2sHHBB", head, 0, b"!BDN", 0, b"SO" if self.large else b"SM", self.version, 19, 1, 1)
        if self.wide:
            struct.pack_into("<QQQQQQQQ", head, 0xB8, len(self.out), 0x4400, 0, 0, *nodes, *blocks)
            head[0xF8] = 2
            head[0x200], head[0x201] = 0x80, self.method
        else:
            struct.pack_into("<8I", head, 0xA8, len(self.out), 0x4400, 0, 0, *nodes, *blocks)
            head[0xC8] = 2
            head[0x1CC], head[0x1CD] = 0x80, self.method
        struct.pack_into("<I", head, 4, checksum(bytes(head[8:479])))
        if self.wide:
            struct.pack_into("<I", head, 524, checksum(bytes(head[8:524])))
        self.out[: len(head)] = head
        return bytes(self.out)


def store(
    messages: list[Message], version: int = 23, method: int = pstcodec.NONE, more: Values | None = None, maker: Maker | None = None
) -> bytes:
    """Return a store with the folders Top/Inbox and Top/Deleted and these messages in them.

    ``maker``: one that has blocks already; they are left as free ones.
    """
    maker = maker or Maker(version, method)
    maker.blocks.clear()
    maker.out += bytes(-len(maker.out) % 64)
    waste = bytes(20) + struct.pack("<I", WASTE)
    maker.add(STORE, maker.properties({0x3001: "a store", 0x35E3: waste, **(more or {})}))
    sets = bytes.fromhex("0220060000000000c000000000000046")
    maker.add(NAMES, maker.properties({1: 251, 2: sets, 3: struct.pack("<IHH", 0x820D, 3 << 1, 0), 4: b"\0\0\0\0"}))
    folders = {ROOT: ("", ROOT), 0x8002: ("Top", ROOT), INBOX: ("Inbox", 0x8002), WASTE: ("Deleted", 0x8002)}
    placed = [(0x200004 + 32 * n, one) for n, one in enumerate(messages)]
    for number, (name, parent) in folders.items():
        below = [one for one, (_, above) in folders.items() if above == number and one != number]
        held = [nid for nid, one in placed if one.folder == number and one.listed]
        maker.add(number, maker.properties({0x3001: name, 0x3602: len(held)}), parent)
        maker.add(number & ~31 | 0xD, maker.table([], [(one, []) for one in below]))
        maker.add(number & ~31 | 0xE, maker.table([], [(one, []) for one in held]))
        maker.add(number & ~31 | 0xF, maker.table([], []))
    for number, one in placed:
        maker.add(number, maker.message(one), one.folder)
    return maker.build()
