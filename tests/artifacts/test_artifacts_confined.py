"""The readers do their work where workers do theirs: in a process that may write no file, start nothing and open no connection."""

from __future__ import annotations

import json
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

CODE = """
import bz2, gzip, io, json, lzma, plistlib, sqlite3, sys
sys.path[:0] = [{here!r}, {root!r}]
from archive_makers import tar_of, zip_of
from triage.artifacts.archives import open_archive, walk
from triage.artifacts.jsonfile import parse_json
from triage.artifacts.patterns import Patterns
from triage.artifacts.plist import parse_plist
from triage.artifacts.sqlite import open_database
from triage.artifacts.xmlfile import parse_xml
from triage.content.pictures import thumbnail
from triage.engine.confine import confine

folder = sys.argv[1]
connection = sqlite3.connect(folder + "/x.db", isolation_level=None)
connection.execute("PRAGMA journal_mode=WAL")
connection.execute("CREATE TABLE t (a, b)")
connection.execute("INSERT INTO t WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 3000) SELECT i, hex(zeroblob(500)) FROM n")
main, wal = open(folder + "/x.db", "rb").read(), open(folder + "/x.db-wal", "rb").read()
connection.close()
picture = open(sys.argv[2], "rb").read()
archives = [zip_of({{"a": b"1" * 70_000, "in.tgz": gzip.compress(tar_of({{"b": b"2"}}))}}), bz2.compress(b"3"), lzma.compress(b"4")]
lists = [plistlib.dumps({{"a": [1]}}, fmt=form) for form in plistlib.PlistFormat]

held = confine(2 << 30)
members = sum(len(b"".join(m.open())) for data in archives for m in walk(open_archive(lambda o, n: data[o : o + n], len(data))))
with open_database(main, wal) as database:
    rows = sum(1 for _ in database.rows("t"))
    sound = database.check()
values = [parse_plist(data).value for data in lists] + [parse_json(b"[1]").value, parse_xml(b"<a><b/></a>").root.name]
hits = len(list(Patterns(["a+"], regular=True).search(b"xaay")))
small = thumbnail(picture)
try:
    open(folder + "/new", "w")
    wrote = True
except OSError:
    wrote = False
print(json.dumps([held, members, rows, sound, values, hits, isinstance(small, bytes), wrote]))
"""


def png() -> bytes:
    from PIL import Image

    out = BytesIO()
    Image.new("RGB", (40, 30), "red").save(out, "PNG")
    return out.getvalue()


@pytest.mark.skipif(sys.platform == "win32", reason="nothing is confined there")
def test_every_reader_works_in_a_confined_process(tmp_path: Path) -> None:
    (tmp_path / "picture.png").write_bytes(png())
    code = CODE.format(here=str(Path(__file__).parent), root=str(ROOT))
    command = [sys.executable, "-c", code, str(tmp_path), str(tmp_path / "picture.png")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    held, members, rows, sound, values, hits, small, wrote = json.loads(done.stdout)
    assert members > 70_000
    assert (rows, sound, values, hits, small) == (3000, [], [{"a": [1]}, {"a": [1]}, [1], "a"], 1, True)
    if sys.platform == "linux" and any("file" in line for line in held):
        assert not wrote
