"""The built-in images, their answer keys and lists agree with each other and stay small."""

from __future__ import annotations

import base64
import csv
import gzip
import hashlib
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from triage.evidence.opening import open_evidence
from triage.model import Encryption, Kind, Recoverability, State

IMAGES = Path(__file__).resolve().parent / "images"
KEYS = sorted(path.name for path in IMAGES.glob("*.key.yaml"))
DIGESTS = {"md5": 32, "sha1": 40, "sha256": 64}
WRITTEN_BY_HAND = {"__init__.py", "build.py", "MANIFEST.yaml"}
LARGEST, TOTAL = 1_200_000, 6_000_000


@cache
def load(name: str) -> dict[str, Any]:
    loaded = yaml.safe_load((IMAGES / name).read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


@cache
def medium_of(name: str) -> bytes:
    container = load(name)["container"]
    paths = [IMAGES / segment for segment in container["segments"]]
    if container.get("compression") == "gzip":
        return gzip.decompress(paths[0].read_bytes())
    _, medium, warnings = open_evidence(paths[0])
    try:
        assert not warnings
        return b"".join(medium.read_at(at, min(1 << 20, medium.size - at)) for at in range(0, medium.size, 1 << 20))
    finally:
        medium.close()


def manifest() -> dict[str, dict[str, Any]]:
    rows = yaml.safe_load((IMAGES / "MANIFEST.yaml").read_text(encoding="utf-8"))
    return {row["file"]: row for row in rows}


def known_hashes() -> list[dict[str, str]]:
    with (IMAGES / "known-hashes.csv").open(encoding="ascii", newline="") as file:
        return list(csv.DictReader(file))


def in_all_keys(digest: str) -> set[str]:
    rows = [row for name in KEYS for part in ("entries", "unallocated") for row in load(name)[part]]
    return {row[digest] for row in rows if digest in row}


def test_the_manifest_lists_every_file_as_it_is() -> None:
    listed = manifest()
    here = {path.name for path in IMAGES.iterdir() if path.is_file()} - WRITTEN_BY_HAND
    assert set(listed) == here
    for name, row in listed.items():
        data = (IMAGES / name).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (row["size"], row["sha256"]), name
        assert row["licence"] == "Apache-2.0"
        assert row["made_with"]


def test_images_stay_small() -> None:
    sizes = {name: row["size"] for name, row in manifest().items()}
    assert not {name: size for name, size in sizes.items() if size > LARGEST}
    assert sum(sizes.values()) < TOTAL


def test_every_image_has_a_key_and_every_key_an_image() -> None:
    segments = [segment for name in KEYS for segment in load(name)["container"]["segments"]]
    suffixes = (".E01", ".E02", ".raw", ".gz", ".001", ".002", ".003")
    assert sorted(segments) == sorted(path.name for path in IMAGES.iterdir() if path.name.endswith(suffixes))
    for name in KEYS:
        assert name == load(name)["container"]["segments"][0] + ".key.yaml"


def test_the_kinds_of_evidence_that_the_task_asks_for_are_there() -> None:
    systems = {volume["file_system"] for name in KEYS for volume in load(name)["volumes"]}
    assert systems >= {"ntfs", "fat12", "fat16", "fat32", "exfat", "ext2", "ext4", "iso9660"}
    states = {row["state"] for name in KEYS for row in load(name)["entries"]}
    assert states == {"allocated", "deleted", "orphan"}
    left = {row["recoverability"] for name in KEYS for row in load(name)["entries"] if "recoverability" in row}
    assert left == {"intact", "partly overwritten", "overwritten", "unknown"}
    kinds = {row["kind"] for name in KEYS for row in load(name)["entries"]}
    assert kinds == {"file", "directory", "link", "stream", "special"}


@pytest.mark.parametrize("name", KEYS)
def test_the_medium_is_the_one_that_the_key_describes(name: str) -> None:
    expected = load(name)["media"]
    data = medium_of(name)
    assert len(data) == expected["size"]
    assert {d: hashlib.new(d, data).hexdigest() for d in DIGESTS} == {d: expected[d] for d in DIGESTS}


@pytest.mark.parametrize("name", [name for name in KEYS if "stored_digests" in load(name)])
def test_acquisition_facts_and_stored_digests_are_those_of_the_key(name: str) -> None:
    key = load(name)
    evidence, medium, _ = open_evidence(IMAGES / key["container"]["segments"][0])
    medium.close()
    assert {d: evidence.stored_digests[d] for d in key["stored_digests"]} == {
        d: key["media"][d] for d in key["stored_digests"]
    }
    assert set(key["acquisition"].values()) <= set(evidence.facts.values())
    assert evidence.kind == key["container"]["kind"]


@pytest.mark.parametrize("name", KEYS)
def test_keys_are_well_formed(name: str) -> None:
    key = load(name)
    volumes = {f"vol{volume['number']}" for volume in key["volumes"]}
    assert len(volumes) == len(key["volumes"])
    for volume in key["volumes"]:
        Encryption(volume["encryption"])
        assert 0 <= volume["offset"] < volume["offset"] + volume["size"] <= key["media"]["size"]
    paths = [row["path"] for row in key["entries"]]
    assert len(set(paths)) == len(paths)
    assert {must["path"] for must in key["must_find"]} <= set(paths)
    for row in key["entries"]:
        assert row["path"].partition("/")[0] in volumes
        assert "".join(row["path"].splitlines()) == row["path"], "a display path is one line"
        assert "\x1b" not in row["path"]
        Kind(row["kind"])
        State(row["state"])
        assert ("recoverability" in row) == (row["state"] != "allocated" and row["kind"] != "directory")
        for answer in (row.get("recoverability", "intact"), *row.get("also_right", ())):
            Recoverability(answer)
        if "name_raw" in row:
            assert base64.b64decode(row["name_raw"], validate=True)
        for digest, length in DIGESTS.items():
            for value in (row.get(digest), row.get(f"original_{digest}")):
                assert value is None or re.fullmatch(f"[0-9a-f]{{{length}}}", value)


@pytest.mark.parametrize("name", KEYS)
def test_what_is_lost_has_no_digests_and_what_is_whole_has_all(name: str) -> None:
    for row in load(name)["entries"]:
        lost = row.get("recoverability", "intact") != "intact" or "content_replaced" in row
        cut_off = row["path"] == "vol1/poison.bin"
        has_content = row["kind"] in {"file", "stream"} and not lost and not cut_off
        assert {digest in row for digest in DIGESTS} == {has_content}, row["path"]
        assert not lost or "original_md5" in row or row["kind"] == "directory", row["path"]


@pytest.mark.parametrize("row", load("ntfs.E01.key.yaml")["unallocated"], ids=lambda row: row["type"])
def test_the_bytes_between_the_partitions_are_where_the_key_says(row: dict[str, Any]) -> None:
    found = medium_of("ntfs.E01.key.yaml")[row["offset"] : row["offset"] + row["size"]]
    assert hashlib.sha256(found).hexdigest() == row["sha256"]


def test_the_notable_list_is_what_the_keys_call_notable() -> None:
    rows = known_hashes()
    assert len(rows) == 6
    for digest, length in DIGESTS.items():
        assert {row[digest] for row in rows} <= in_all_keys(digest)
        assert {len(row[digest]) for row in rows} == {length}
    by_sha256 = {row["sha256"]: row["category"] for row in rows}
    for name in KEYS:
        for entry in load(name)["entries"]:
            if "sha256" in entry:
                expected = by_sha256.get(entry["sha256"])
                assert (entry.get("known") == "notable", entry.get("category")) == (expected is not None, expected)


def test_the_software_list_is_what_the_keys_call_ignorable() -> None:
    listed = (IMAGES / "known-software.txt").read_text(encoding="ascii").split()
    entries = [row for name in KEYS for row in load(name)["entries"]]
    assert {row["md5"] for row in entries if row.get("known") == "ignorable"} == set(listed)
    assert all("/System32/" in row["path"] for row in entries if row.get("md5") in set(listed))


def test_the_vics_list_names_two_of_the_notable_pictures() -> None:
    document = json.loads((IMAGES / "vics.json").read_text(encoding="utf-8"))
    assert document["@odata.context"].endswith("/2.0.xml/Default/$metadata#Media")
    listed = {(row["md5"], row["sha1"], row["category"]) for row in known_hashes()}
    media = {(m["MD5"].lower(), m["SHA1"].lower(), str(m["Category"])) for m in document["value"]}
    assert len(media) == 2
    assert media < listed


@pytest.mark.parametrize("name", KEYS)
def test_no_picture_comes_from_a_camera(name: str) -> None:
    data = medium_of(name)
    assert b"Exif\0\0" not in data
    assert b"http://ns.adobe.com/xap/" not in data
    pictures = [row for row in load(name)["entries"] if row.get("type") == "jpeg"]
    assert not pictures or b"\xff\xd8\xff\xe0\0\x10JFIF\0" in data
