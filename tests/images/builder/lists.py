"""The hash lists that go with the images, and the manifest."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import yaml
from builder.key import digests
from builder.material import CATEGORIES, NOTABLE, SYSTEM32

if TYPE_CHECKING:
    from pathlib import Path

_HOW = {
    ".py": "written by hand",
    ".yaml": "written by build.py beside the image",
    ".csv": "written by build.py",
    ".txt": "written by build.py",
    ".json": "written by build.py",
}
_FIXTURES = ("minhang_ext2.raw.gz", "minhang_ext2_4k.raw.gz")


def build(_work: Path, out: Path) -> None:
    """Write ``known-hashes.csv`` (notable), ``known-software.txt`` (ignorable) and ``vics.json``."""
    rows = ["md5,sha1,sha256,category"]
    rows += [",".join([*digests(thing.data).values(), CATEGORIES[name]]) for name, thing in NOTABLE.items()]
    (out / "known-hashes.csv").write_text("\n".join(rows) + "\n")
    (out / "known-software.txt").write_text("".join(digests(thing.data)["md5"] + "\n" for thing in SYSTEM32.values()))
    media = [
        {
            "MediaID": number,
            "Category": int(CATEGORIES[name]),
            "MD5": digests(NOTABLE[name].data)["md5"].upper(),
            "SHA1": digests(NOTABLE[name].data)["sha1"].upper(),
            "MediaSize": len(NOTABLE[name].data),
            "VictimIdentified": False,
            "OffenderIdentified": False,
            "IsDistributed": False,
            "Series": "",
            "Tags": "test material",
            "MediaFiles": [
                {
                    "MD5": digests(NOTABLE[name].data)["md5"].upper(),
                    "FileName": f"{name}.jpg",
                    "FilePath": "test\\material\\",
                }
            ],
        }
        for number, name in enumerate(("plain", "deleted"), 1)
    ]
    context = "http://github.com/VICSDATAMODEL/ProjectVic/DataModels/2.0.xml/Default/$metadata#Media"
    (out / "vics.json").write_text(json.dumps({"@odata.context": context, "value": media}, indent=1) + "\n")


def manifest(out: Path) -> None:
    """Write ``MANIFEST.yaml``: every image, key and list with its digest and how it was made."""
    made: dict[str, str] = {}
    for path in sorted(out.glob("*.key.yaml")):
        key = yaml.safe_load(path.read_text("utf-8"))
        made |= dict.fromkeys(key["container"]["segments"], key["made_with"])
    rows = []
    for path in sorted(out.iterdir()):
        if path.is_dir() or path.suffix == ".py" or path.name == "MANIFEST.yaml":
            continue
        data = path.read_bytes()
        how = made.get(path.name, _HOW.get(path.suffix, ""))
        if path.name in _FIXTURES:
            how += " (kept as a file: build.py writes its key only)"
        rows.append(
            {
                "file": path.name,
                "size": len(data),
                "sha256": hashlib.sha256(data).hexdigest(),
                "made_with": how,
                "licence": "Apache-2.0",
                "origin": "own work, generated",
            }
        )
    (out / "MANIFEST.yaml").write_text(
        "# Every image, key and list here. Written by build.py: do not edit.\n" + yaml.safe_dump(rows, sort_keys=False, width=160),
        "utf-8",
    )
