"""ISO 9660: the trees of a disc held against each other, their path tables, and what TSK listed.

TSK (4.15, ``iso9660.cpp``) numbers the records of the directories in the order of the big-endian path table, of the first Joliet
descriptor if there is one, else of the primary one; it gives up a sector's rest at the first record that it does not like, and lists a
name only when its record was numbered. What other descriptors have on top is shown as orphans without names. It reads the
big-endian numbers alone and ignores Rock Ridge names. So its listing can lack names without a word; here the same directories are read
from the root on, by both byte orders.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from triage.escape import show, show_name
from triage.filesystem.checks import Fault, Found
from triage.filesystem.checks.isodisc import Disc, Tally, read_descriptors
from triage.filesystem.checks.isotree import Tree
from triage.filesystem.isotimes import local_time
from triage.model import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.filesystem.checks import VolumeReader
    from triage.filesystem.checks.isodisc import Descriptor
    from triage.filesystem.checks.isotree import Node
    from triage.filesystem.listed import Listed

_ERROR, _WARNING = Severity.ERROR, Severity.WARNING
_SAID: dict[str, tuple[Severity, str]] = {
    "descriptor": (_ERROR, "the volume descriptors are damaged: another one, with other names, may be missing"),
    "descriptor numbers": (_ERROR, "a volume descriptor's numbers differ between their two byte orders: names may be missing"),
    "differing numbers": (
        _ERROR,
        "directory records whose numbers differ between their two byte orders: content may be read from a wrong place or missing",
    ),
    "broken records": (_ERROR, "sectors of directories are damaged: names in them may be missing"),
    "hidden records": (_ERROR, "sectors of directories hold bytes behind their last record: names may be missing"),
    "empty sector": (_ERROR, "sectors of directories are empty: names may be missing"),
    "short directory": (_ERROR, "directories reach past the volume's end: names are missing"),
    "directory size": (_ERROR, "directories have a length that is no multiple of the sector's: names may be missing"),
    "directory twice": (_WARNING, "directories stand twice or are their own ancestors"),
    "too deep": (_ERROR, "directories nest too deep: what lies below was not checked"),
    "dots": (_ERROR, "directories whose records of themselves and of their parents are wrong: names may be missing"),
    "multi-extent": (_ERROR, "files whose further parts are missing"),
    "odd flags": (_WARNING, "directory records with flags that cannot be"),
    "past the end": (_ERROR, "files reach past the volume's end: the image is cut short or the record is wrong"),
    "path table": (_ERROR, "the path tables are damaged or differ from each other: names may be missing"),
    "table names": (_WARNING, "directories have another name in the path table than in the directory above them"),
    "not in path table": (_ERROR, "directories are not in the path table: what they hold may be missing"),
    "only in path table": (_ERROR, "directories are in the path table, but no name leads to them: a directory above them is damaged"),
    "rock ridge": (_WARNING, "Rock Ridge fields are damaged: the names they hold were not compared in full"),
    "size of the volume": (_ERROR, "the volume descriptor says that the volume is larger than the image: the image is cut short"),
    "attribute record": (_WARNING, "files with an extended attribute record in front: Sleuth Kit takes it for part of the content"),
    "names differ": (_WARNING, "names that the disc's trees tell differently for the same content: one of the two is damaged"),
    "times differ": (_WARNING, "files and directories have different times in the disc's trees: one of the two is damaged"),
    "only in one": (_WARNING, "entries stand in one of the disc's trees and not in another: a name is damaged, or the disc was made so"),
}


def check(reader: VolumeReader, listed: Listed) -> Iterator[Fault | Found]:
    """Yield what differs, and what the listing lacks."""
    disc, odd = Disc(reader), Tally()
    descriptors = read_descriptors(disc, odd)
    _check_descriptors(disc, descriptors, odd)
    trees = [Tree(disc, d, odd) for d in descriptors[:8]]
    for tree in trees:
        tree.hold_against_tables()
    main = next((t for t in trees if t.descriptor.wide and t.descriptor.known), None)
    main = main or next((t for t in trees if t.descriptor.primary), None) or (trees[0] if trees else None)
    if main is not None:
        yield from _lost(disc, main, [t for t in trees if t is not main], listed, odd, reader)
    for kind, (severity, message) in _SAID.items():
        if odd.counts[kind]:
            places = "; ".join(show(place) for place in odd.places[kind])
            more = odd.counts[kind] - len(odd.places[kind])
            yield Fault(severity, f"{odd.counts[kind]} × {message}", detail=places + (f"; and {more} more" if more else ""))


def _check_descriptors(disc: Disc, descriptors: list[Descriptor], odd: Tally) -> None:
    """Each number the same in both byte orders, and possible; one primary descriptor; none in a character set that we do not know."""
    if sum(d.primary for d in descriptors) != 1:
        odd.add("descriptor", f"there are {sum(d.primary for d in descriptors)} primary descriptors")
    for d in descriptors:
        place = f"{d.name} descriptor in sector {d.sector}"
        if not d.known:
            odd.add("descriptor", f"{place} has an unknown character set")
        numbers = (d.space, d.block, d.path_size, *d.sets)
        if not all(n.agree for n in numbers) or d.block.little not in (512, 1024, 2048):
            odd.add("descriptor numbers", place)
        sizes = [n * d.block_size() for n in d.space]
        if min(sizes) > disc.size:
            odd.add("size of the volume", f"{min(sizes)} bytes by the {place}, {disc.size} are there")


def _lost(disc: Disc, main: Tree, others: list[Tree], listed: Listed, odd: Tally, reader: VolumeReader) -> Iterator[Found]:
    """Yield what the listing lacks: names of the tree that TSK lists first, then content that only the other trees lead to."""
    paths = listed.paths or {}
    volume, start = reader.volume.name, reader.volume.offset
    by_folder: dict[str, dict[tuple[int | None, int], list[str]]] = {}
    for path, place in paths.items():
        by_folder.setdefault(path.rpartition("/")[0], {}).setdefault(place, []).append(path)
    main.root.shown, main.root.matched = volume, True
    taken: set[str] = set()
    missing: list[Node] = []
    for node in _top_down(main):
        above = node.parent.shown if node.parent is not None else volume
        node.shown = f"{above}/{show_name(node.name)[0]}"
        if node.shown in paths:
            taken.add(node.shown)
            node.matched = True
        else:
            missing.append(node)
    for node in missing:
        # TSK may show an odd name otherwise than we do: what lies in the same directory at the same place is the same.
        place = (start + node.pieces[0][0], node.size)
        above = node.parent.shown if node.parent is not None else volume
        same = [p for p in by_folder.get(above, {}).get(place, ()) if p not in taken]
        if same and node.size:
            taken.add(same[0])
            node.matched = True
            if node.directory:
                node.shown = same[0]
        else:
            yield from _found(disc, node)
    for node in main.nodes:
        if node.attribute_blocks:
            odd.add("attribute record", node.text())
    for other in others:
        yield from _compare(disc, main, other, odd)


def _top_down(tree: Tree) -> Iterator[Node]:
    """Yield every node below the root, directories before what they hold."""
    stack = [tree.root]
    seen: set[int] = set()
    while stack:
        folder = stack.pop()
        if id(folder) in seen:
            continue
        seen.add(id(folder))
        yield from folder.children
        stack.extend(child for child in reversed(folder.children) if child.children)


def _found(disc: Disc, node: Node, *, rock: bool = False) -> Iterator[Found]:
    """Yield a node as an entry, where the bytes can be named by their place on the medium."""
    if disc.framed or node.special or node.sparse:
        runs: tuple[tuple[int, int], ...] = ()
    else:
        runs = tuple((start, length) for start, length in node.pieces if length and start + length <= disc.size)
    yield Found(path=node.path(rock=rock), size=node.size, runs=runs, directory=node.directory, crtime=local_time(node.time))


def _compare(disc: Disc, main: Tree, other: Tree, odd: Tally) -> Iterator[Found]:
    """Compare two trees of one disc: the same content, under the same names, with the same times."""
    ours: dict[tuple[int, int], list[Node]] = {}
    for node in main.nodes:
        if not node.directory and node.size:
            ours.setdefault(node.place, []).append(node)
    theirs = {node.place for node in other.nodes if not node.directory and node.size}
    pairs: list[tuple[Node, Node]] = []
    taken: Counter[tuple[int, int]] = Counter()
    for node in other.nodes:
        if node.directory or not node.size or node.special:
            continue
        same = ours.get(node.place)
        if same is None:
            odd.add("only in one", f"{node.text()} ({other.descriptor.name} tree only)")
            yield from _found(disc, node, rock=True)
        else:
            pairs.append((same[min(taken[node.place], len(same) - 1)], node))
            taken[node.place] += 1
    for place, nodes in ours.items():
        if place not in theirs:
            for node in nodes:
                odd.add("only in one", f"{node.text()} ({main.descriptor.name} tree only)")
    pairs += _pair_folders(main, other, odd)
    _compare_pairs(pairs, other, odd)


def _pair_folders(main: Tree, other: Tree, odd: Tally) -> list[tuple[Node, Node]]:
    """Pair directories and empty files of two trees by their names; count those that stand in one only."""
    pairs: list[tuple[Node, Node]] = []
    stack = [(main.root, other.root)]
    while stack:
        ours, theirs = stack.pop()
        for directory in (True, False):
            left = [n for n in main.put_back(ours) if n.directory is directory and (directory or not n.size)]
            right = [n for n in other.put_back(theirs) if n.directory is directory and (directory or not n.size)]
            matched = _match_names(left, right)
            pairs += matched
            if directory:
                stack += matched
            for side, tree, mine in ((left, main, 0), (right, other, 1)):
                done = {id(pair[mine]) for pair in matched}
                for node in side:
                    if id(node) not in done and not node.special and not _moved_folder(node):
                        odd.add("only in one", f"{node.text()} ({tree.descriptor.name} tree only)")
    return pairs


def _moved_folder(node: Node) -> bool:
    """Whether it is the place of directories that nest too deep (RRIP 4.1.5): nothing is left of it where they are put back."""
    return node.directory and not node.children and (node.rock or node.name).lower() in (b"rr_moved", b".rr_moved")


def _match_names(left: list[Node], right: list[Node]) -> list[tuple[Node, Node]]:
    """Pair the children of two directories: by name, and what is left by order if it is as many on both sides."""
    matched: list[tuple[Node, Node]] = []
    rest = list(left)
    unmatched = []
    by_name: dict[str, list[Node]] = {}
    for node in rest:
        by_name.setdefault(_plain(node), []).append(node)
    for node in right:
        same = by_name.get(_plain(node))
        if same:
            matched.append((same.pop(0), node))
        else:
            unmatched.append(node)
    done = {id(pair[0]) for pair in matched}
    rest = [node for node in left if id(node) not in done]
    if len(rest) == len(unmatched):
        matched += zip(rest, unmatched, strict=True)
    return matched


def _plain(node: Node) -> str:
    """Return a name for comparison: Rock Ridge's where there is one; what Joliet may not hold is an underscore (Joliet, 5.1)."""
    text = (node.rock or node.name).decode("utf-8", "replace")
    return "".join("_" if c in "*/:;?\\\ufffd" or c < " " else c for c in text)


def _compare_pairs(pairs: list[tuple[Node, Node]], other: Tree, odd: Tally) -> None:
    """Names and times of the same content. Where most pairs differ, the disc's maker did so: nothing is said then."""
    plain = [pair for pair in pairs if pair[1].rock.isascii()]
    foreign = [pair for pair in pairs if not pair[1].rock.isascii()]
    for kind, differ, group in (
        ("names differ", _names_differ, plain),
        ("names differ", _names_differ, foreign),
        ("times differ", _times_differ, pairs),
    ):
        different = [pair for pair in group if differ(*pair)]
        if 2 * len(different) <= len(group):
            for ours, theirs in different:
                rock = theirs.rock.decode("utf-8", "replace")
                odd.add(kind, f"{ours.text()} = {theirs.text()}{f' ({rock})' if rock else ''} in the {other.descriptor.name} tree")


def _names_differ(ours: Node, theirs: Node) -> bool:
    if theirs.rock or ours.rock:
        one, two = _plain(ours), _plain(theirs)
        if one == two:
            return False
        # Joliet holds 64 characters, 103 with a common extension of it.
        return not (min(len(one), len(two)) >= 60 and one[:55] == two[:55])
    one, two = (_plain(n).partition(".")[0].upper() for n in (ours, theirs))
    short = min(len(one), len(two), 4)
    return one[:short].isascii() and two[:short].isascii() and one[:short] != two[:short]


def _times_differ(ours: Node, theirs: Node) -> bool:
    return ours.time != theirs.time
