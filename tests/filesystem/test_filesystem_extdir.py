"""Linear ext directories: names, deleted names in slack, and bytes that are neither."""

from __future__ import annotations

import random
import struct
from typing import TYPE_CHECKING

import pytsk3
from hypothesis import example, given, settings
from hypothesis import strategies as st

from triage.filesystem.extdir import ExtName, read_ext_directory

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LAST = 1000
NAME = st.binary(min_size=1, max_size=40).filter(lambda n: b"\0" not in n and b"/" not in n)


def record(inode: int, name: bytes, length: int = 0, kind: int = 1) -> bytes:
    needed = (8 + len(name) + 3) & ~3
    return struct.pack("<IHBB", inode, length or needed, len(name), kind) + name.ljust((length or needed) - 8, b"\0")


def block_of(names: list[tuple[int, bytes]], size: int = 1024) -> bytes:
    """A block as the kernel writes one: the last record reaches to the end."""
    body = b"".join(record(inode, name) for inode, name in names[:-1])
    return body + record(*names[-1], length=size - len(body))


@settings(max_examples=100, deadline=None)
@given(names=st.lists(st.tuples(st.integers(1, LAST), NAME), min_size=1, max_size=12), blocks=st.integers(1, 3))
def test_written_names_are_read(names: list[tuple[int, bytes]], blocks: int) -> None:
    found = list(read_ext_directory(block_of(names) * blocks, 1024, LAST))
    assert [(n.inode, n.name) for n in found] == names * blocks
    assert all(n.allocated and n.file_type == 1 for n in found)


@settings(max_examples=100, deadline=None)
@given(first=NAME, gone=st.lists(st.tuples(st.integers(1, LAST), NAME), min_size=1, max_size=4))
def test_deleted_names_in_slack_are_found_and_said_to_be_deleted(first: bytes, gone: list[tuple[int, bytes]]) -> None:
    swallowed = b"".join(record(inode, name) for inode, name in gone)
    body = record(7, first)
    block = struct.pack("<IHBB", 7, 1024, len(first), 1) + body[8:] + swallowed
    found = list(read_ext_directory(block.ljust(1024, b"\0"), 1024, LAST))
    assert found[0] == ExtName(7, first, 1, allocated=True)
    assert [(n.inode, n.name, n.allocated) for n in found[1:]] == [(inode, name, False) for inode, name in gone]


def test_a_name_whose_inode_was_cleared_is_deleted() -> None:
    found = list(read_ext_directory(block_of([(0, b"first of its block"), (8, b"next")]), 1024, LAST))
    assert found == [ExtName(0, b"first of its block", 1, allocated=False), ExtName(8, b"next", 1, allocated=True)]


def test_inodes_past_the_last_are_left_out() -> None:
    assert [n.inode for n in read_ext_directory(block_of([(LAST + 1, b"a"), (LAST, b"b")]), 1024, LAST)] == [LAST]


def check(data: bytes, block_size: int) -> None:
    found = list(read_ext_directory(data, block_size, LAST))
    assert len(found) <= len(data) // 4
    for name in found:
        assert 1 <= len(name.name) <= 255
        assert 0 <= name.inode <= LAST
        assert name.name in data
        assert name.allocated or not name.inode or (b"\0" not in name.name and b"/" not in name.name)


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=3000), block_size=st.sampled_from([1024, 4096]))
@example(data=b"\0" * 1024, block_size=1024)
@example(data=b"\xff" * 1024, block_size=1024)
@example(data=struct.pack("<IHBB", 5, 8, 0, 0) * 128, block_size=1024)
def test_any_bytes_give_names_or_nothing(data: bytes, block_size: int) -> None:
    check(data, block_size)


def test_mutated_directories(image: Callable[[str], Path]) -> None:
    """A real directory, 400 times damaged: it ends, and what it gives can be."""
    fs = pytsk3.FS_Info(pytsk3.Img_Info(str(image("ext4.raw"))))
    size = int(fs.info.block_size)
    for path in ("/home/sam", "/home/sam/hostile"):
        file = fs.open(path)
        whole = file.read_random(0, int(file.info.meta.size))
        for number in range(200):
            chance = random.Random(number)
            raw = bytearray(whole)
            for _ in range(chance.randint(1, 8)):
                raw[chance.randrange(len(raw))] = chance.choice([0, 255, chance.randrange(256)])
            check(bytes(raw), size)


def test_a_real_directory_agrees_with_tsk(image: Callable[[str], Path]) -> None:
    for name in ("ext4.raw", "ext2.raw"):
        fs = pytsk3.FS_Info(pytsk3.Img_Info(str(image(name))))
        stack, compared = [int(fs.info.root_inum)], 0
        while stack:
            inode = stack.pop()
            file = fs.open_meta(inode)
            data = file.read_random(0, int(file.info.meta.size))
            ours = {(n.name, n.allocated) for n in read_ext_directory(data, int(fs.info.block_size), int(fs.info.last_inum))}
            theirs = set()
            for entry in fs.open_dir(inode=inode):
                given_name = entry.info.name
                if given_name.name == b"$OrphanFiles":
                    continue
                theirs.add((given_name.name, bool(int(given_name.flags) & 1)))
                compared += 1
                meta = entry.info.meta
                if meta and int(meta.type) == 2 and int(given_name.flags) & 1 and given_name.name not in (b".", b".."):
                    stack.append(int(meta.addr))
            assert {n for n in ours if n[1]} == {n for n in theirs if n[1]}
            # TSK cuts a name that holds a slash where its own path begins again, so only what it lists must be there.
            assert {n for n in theirs if not n[1]} <= ours
        assert compared > 8
