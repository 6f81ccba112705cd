"""A disc's tree of directories, by one of its volume descriptors: walked from the root, and from the path tables where names are gone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from triage.filesystem.checks.isodisc import (
    DIRECTORY,
    MORE,
    SECTOR,
    Pair,
    Record,
    Rock,
    TableRow,
    parse_record,
    read_path_table,
    read_records,
    read_rock,
)

if TYPE_CHECKING:
    from triage.filesystem.checks.isodisc import Descriptor, Disc, Tally

MAX_NODES = 2_000_000
MAX_DEPTH = 256
_REGULAR, _FOLDER = 0o100000, 0o040000


@dataclass(slots=True)
class Node:
    """A name: where its bytes lie, in pieces of ``(byte offset on the disc, length)``. ``name`` is as TSK shows it."""

    parent: Node | None
    name: bytes
    stored: bytes
    rock: bytes
    directory: bool
    special: bool
    child: int | None  # where the directory lies that was moved from here (RRIP 4.1.5)
    moved: bool
    time: bytes
    pieces: list[tuple[int, int]]
    depth: int
    agree: bool = True
    attribute_blocks: int = 0
    sparse: bool = False
    shown: str = ""
    matched: bool = False
    children: list[Node] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Return the length of all pieces."""
        return sum(length for _, length in self.pieces)

    @property
    def place(self) -> tuple[int, int]:
        """Return where the first piece begins, and the size."""
        return self.pieces[0][0], self.size

    def path(self, *, rock: bool = False) -> tuple[bytes, ...]:
        """Return the names from below the root; with ``rock``, Rock Ridge's where there are some."""
        names: list[bytes] = []
        node: Node | None = self
        while node is not None and node.parent is not None:
            names.append(node.rock if rock and node.rock else node.name)
            node = node.parent
        return tuple(reversed(names))

    def text(self) -> str:
        """Return the path for a message; it goes through :func:`triage.escape.show` there."""
        return "/".join(name.decode("utf-8", "replace") for name in self.path()) or "the root"


class Tree:
    """What one volume descriptor leads to."""

    def __init__(self, disc: Disc, descriptor: Descriptor, odd: Tally) -> None:
        self.descriptor = descriptor
        self.block = descriptor.block_size()
        self.rock = False
        self.nodes: list[Node] = []
        self.by_place: dict[int, Node] = {}  # directories, by the byte offset at which they begin
        self.truncated = False
        self._disc = disc
        self._odd = odd
        self._skip = 0
        root = parse_record(bytes(descriptor.root) + bytes(64), 0, 0)
        self.root = self._node(None, root, Rock(), b"")
        if not root.agree:
            odd.add("differing numbers", f"root of the {descriptor.name} tree")
        self._look_for_rock()
        self._walk(self.root)

    # ---- reading -----------------------------------------------------------------------------------------------------------

    def _look_for_rock(self) -> None:
        """Rock Ridge is there when the root's first record says so by SP (SUSP 5.3), or else by what stands in it."""
        data = self._disc.read(self.root.pieces[0][0], SECTOR)
        if self.descriptor.wide or len(data) < SECTOR or data[0] <= 33:
            return
        use = parse_record(data, 0, 0).use
        if use[:2] == b"SP" and use[4:6] == b"\xbe\xef" and len(use) > 6:
            self.rock, self._skip = True, use[6]
        elif b"RR\x05\x01" in data or b"PX\x24\x01" in data or b"PX\x2c\x01" in data:
            self.rock = True
            self._odd.add("rock ridge", "the root directory's mark")

    def _node(self, parent: Node | None, record: Record, rock: Rock, name: bytes) -> Node:
        offset, size = self._choose(record), record.size
        own = self._own_record(offset) if record.flags & DIRECTORY and not size.agree else None
        if own is not None:
            size = own.size
        regular = rock.mode is None or rock.mode & 0o170000 in (0, _REGULAR, _FOLDER)
        return Node(
            parent=parent,
            name=name,
            stored=record.name,
            rock=rock.name,
            directory=bool(record.flags & DIRECTORY),
            special=rock.link or not regular or rock.child is not None,
            child=None if rock.child is None else rock.child * self.block,
            moved=rock.moved,
            time=record.time,
            pieces=[(offset, self._size(size))],
            depth=0 if parent is None else parent.depth + 1,
            agree=record.agree,
            attribute_blocks=record.attribute_blocks,
            sparse=rock.sparse,
        )

    def _own_record(self, offset: int) -> Record | None:
        """Return the first record of a directory that begins at a byte offset, if it is one of itself."""
        data = self._disc.read(offset, SECTOR)
        if len(data) < SECTOR or data[0] < 34 or data[32] != 1 or data[33]:
            return None
        own = parse_record(data, 0, offset)
        return own if offset in [n * self.block for n in own.extent] else None

    def _choose(self, record: Record) -> int:
        """Return where a record's extent begins. Where its two numbers differ, the one is taken that leads to what it should."""
        little, big = record.extent
        if little == big:
            return (little + record.attribute_blocks) * self.block
        for extent in (little, big):
            offset = extent * self.block
            if not record.flags & DIRECTORY:
                if offset < self._disc.size:
                    return offset
            elif self._own_record(offset) is not None:
                return offset
        return little * self.block

    def _size(self, size: Pair) -> int:
        little, big = size
        return big if little != big and little > self._disc.size >= big else little

    def _walk(self, top: Node) -> None:
        self.nodes.append(top)
        self.by_place.setdefault(top.pieces[0][0], top)
        stack = [top]
        while stack:
            folder = stack.pop()
            self._directory(folder)
            for child in folder.children:
                if not child.directory:
                    continue
                if child.pieces[0][0] in self.by_place:
                    self._odd.add("directory twice", child.text())
                elif child.depth >= MAX_DEPTH:
                    self._odd.add("too deep", child.text())
                else:
                    self.by_place[child.pieces[0][0]] = child
                    stack.append(child)
            if len(self.nodes) > MAX_NODES:
                self.truncated = True
                return

    def _directory(self, folder: Node) -> None:
        """Read a directory's records into its children."""
        offset, size = folder.pieces[0]
        where = f"{folder.text()} ({self.descriptor.name} tree)"
        if size % SECTOR or not size:
            self._odd.add("directory size", where)
        before: Node | None = None
        for position, record in enumerate(read_records(self._disc, offset, max(size, SECTOR), self._odd, where)):
            if not record.agree:
                self._odd.add("differing numbers", where)
            if record.name in (b"\0", b"\1"):
                self._dots(folder, position, record, where)
                continue
            if position < 2:
                self._odd.add("dots", where)
            rock = read_rock(self._disc, record.use[self._skip :], self.block) if self.rock else Rock()
            if rock.odd:
                self._odd.add("rock ridge", f"{where}, {_shown_name(record.name, self.descriptor.wide).decode('utf-8', 'replace')}")
            name = _shown_name(record.name, self.descriptor.wide)
            node = self._node(folder, record, rock, name)
            if before is not None:  # the record before was not its file's last
                if before.stored == node.stored:
                    before.pieces += node.pieces
                    before = before if record.flags & MORE else None
                    continue
                self._odd.add("multi-extent", before.text())
            if record.flags & 0x60 or (record.interleave[0] == 0) != (record.interleave[1] == 0):
                self._odd.add("odd flags", node.text())
            before = node if record.flags & MORE else None
            folder.children.append(node)
            self.nodes.append(node)
            if any(start + length > self._disc.size for start, length in node.pieces) and node.size:
                self._odd.add("past the end", node.text())

    def _dots(self, folder: Node, position: int, record: Record, where: str) -> None:
        """The first record is the directory's own, the second its parent's (6.8.2.2)."""
        own = record.name == b"\0"
        aims = [folder] if own else [folder.parent or folder, folder]  # genisoimage gives directories that it could not read themselves
        places = [aim.pieces[0] for aim in aims]
        said = [(extent * self.block, size) for extent, size in zip(record.extent, record.size, strict=True)]
        wrong = any(one not in places for one in said) and (own or not self.rock)  # a moved directory's parent is another (RRIP 4.1.5)
        if wrong or position != (0 if own else 1) or not record.flags & DIRECTORY:
            self._odd.add("dots", where)

    def put_back(self, folder: Node) -> list[Node]:
        """Return a directory's children with those in their place that were moved away because they nested too deep."""
        nodes = [self.by_place.get(n.child, n) if n.child is not None else n for n in folder.children if not n.moved]
        return [n for n in nodes if not (n.directory and n.children and all(c.moved for c in n.children))]

    # ---- path tables -------------------------------------------------------------------------------------------------------

    def hold_against_tables(self) -> None:
        """Compare the path tables with each other and with the directories; walk into those that no name leads to."""
        d, name = self.descriptor, self.descriptor.name
        tables: list[list[TableRow]] = []
        for order, places in (("little", d.little_tables), ("big", d.big_tables)):
            for copy, place in enumerate(places):
                if not place and copy:
                    continue
                size = next((s for s in d.path_size if 10 <= s <= self._disc.size), 10)
                rows, exact = read_path_table(self._disc, place * self.block, size, order)
                if not exact or not place:
                    self._odd.add("path table", f"{order}-endian table of the {name} tree")
                tables.append(rows)
        if any(rows != tables[0] for rows in tables[1:]):
            self._odd.add("path table", f"the copies of the {name} tree's table differ")
        for rows in tables:
            self._compare_table(rows)

    def _compare_table(self, rows: list[TableRow]) -> None:
        reached = set()
        for row in rows:
            node = self.by_place.get(row.extent * self.block)
            if node is None:
                self._unreached(rows, row)
            else:
                reached.add(row.extent * self.block)
                if node.parent is not None and row.name != node.stored:
                    self._odd.add("table names", node.text())
        for place, node in self.by_place.items():
            if place not in reached:
                self._odd.add("not in path table", node.text())

    def _unreached(self, rows: list[TableRow], row: TableRow) -> None:
        """Walk into a directory that only the path table knows, if it is one: its first record leads to itself."""
        self._odd.add("only in path table", _shown_name(row.name, self.descriptor.wide).decode("utf-8", "replace"))
        place = row.extent * self.block
        own = self._own_record(place)
        if own is None or len(self.nodes) > MAX_NODES:
            return
        parent = rows[row.parent - 1] if 0 < row.parent <= len(rows) else None
        above = self.by_place.get(parent.extent * self.block) if parent is not None else None
        above = above or self.root
        node = self._node(above, own, Rock(), _shown_name(row.name, self.descriptor.wide))
        node.pieces, node.stored = [(place, node.size)], row.name
        above.children.append(node)
        self._walk(node)


def _shown_name(stored: bytes, wide: bool) -> bytes:
    """Return a name as TSK shows it: without the version, without a dot at its end."""
    name = stored.decode("utf-16-be", "replace").encode("utf-8", "replace") if wide else stored
    name = name.partition(b";")[0].split(b"\0")[0]
    return name.removesuffix(b".") or name
