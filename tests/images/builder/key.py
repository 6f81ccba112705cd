"""The answer key of an image: what its builder put there, written down as it did so."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

import yaml
from builder import material

if TYPE_CHECKING:
    from pathlib import Path

    from builder.material import Thing

Row = dict[str, Any]


def digests(data: bytes) -> Row:
    """Return md5, sha1 and sha256 in hexadecimal."""
    return {name: hashlib.new(name, data).hexdigest() for name in ("md5", "sha1", "sha256")}


def _listed(thing: Thing) -> Row:
    """Return what the lists that go with the images say of some bytes."""
    for name, notable in material.NOTABLE.items():
        if thing.data == notable.data:
            return {"known": "notable", "category": material.CATEGORIES[name]}
    return {"known": "ignorable"} if thing in material.SYSTEM32.values() else {}


class Key:
    """Collects one image's volumes, entries and expectations, and writes them as YAML."""

    def __init__(self, image: str, made_with: str, *notes: str) -> None:
        self.image = image
        self.head: Row = {"schema": 1, "image": image, "made_with": made_with}
        self.notes = list(notes)
        self.volumes: list[Row] = []
        self.gaps: list[Row] = []
        self.entries: list[Row] = []
        self.must_find: list[Row] = []
        self.unallocated: list[Row] = []

    def volume(self, number: int, offset: int, size: int, file_system: str, label: str, **more: Any) -> None:
        """Note a volume. ``offset`` and ``size`` in bytes, on the medium."""
        self.volumes.append(
            {
                "number": number,
                "offset": offset,
                "size": size,
                "file_system": file_system,
                "label": label,
                "encryption": "none",
            }
            | more
        )

    def add(
        self,
        path: str,
        thing: Thing | None = None,
        *,
        kind: str = "file",
        state: str = "allocated",
        **more: Any,
    ) -> Row:
        """Note an entry by its display path.

        With a ``thing`` its size, digests and type are noted; a ``recoverability`` other than ``intact`` turns
        the digests into those of the original (``original_md5`` …), and so does ``content_replaced``.
        ``name_raw`` (bytes) is noted as base64. ``also_right`` are other answers about its recoverability that are
        honest, where the file system does not keep what one would have to know.
        """
        row: Row = {"path": path, "kind": kind, "state": state}
        if "name_raw" in more:
            row["name_raw"] = base64.b64encode(more.pop("name_raw")).decode("ascii")
        if state != "allocated" and kind != "directory":
            row["recoverability"] = more.pop("recoverability", "intact")
        if thing is not None:
            row["size"] = len(thing.data)
            lost = row.get("recoverability", "intact") != "intact" or "content_replaced" in more
            row |= {f"original_{k}" if lost else k: v for k, v in digests(thing.data).items()}
            row["original_type" if lost else "type"] = thing.type
            if not lost:
                row["extension_mismatch"] = more.pop("extension_mismatch", False)
                row |= _listed(thing)
        row |= more
        if any(old["path"] == path for old in self.entries):
            raise ValueError(f"{self.image}: {path} is in the key twice")
        self.entries.append(row)
        return row

    def find(self, path: str, what: str) -> None:
        """Note something that an examination must come up with."""
        if all(row["path"] != path for row in self.entries):
            raise ValueError(f"{self.image}: {path} must be found but is not in the key")
        self.must_find.append({"path": path, "what": what})

    def write(self, out: Path, container: Row, media: bytes, **more: Any) -> None:
        """Write ``<image>.key.yaml``; ``media`` is the medium's bytes."""
        document = (
            self.head
            | {"container": container, "media": {"size": len(media), "sector_size": 512} | digests(media)}
            | more
            | {
                "volumes": self.volumes,
                "gaps": self.gaps,
                "complete": "user files",
                "notes": self.notes,
                "must_find": self.must_find,
                "unallocated": self.unallocated,
                "entries": sorted(self.entries, key=lambda row: str(row["path"])),
            }
        )
        text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=160)
        (out / f"{self.image}.key.yaml").write_text(
            "# What is in the image, by the script that built it. Written by build.py: do not edit.\n" + text,
            "utf-8",
        )
