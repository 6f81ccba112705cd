"""Cellebrite's reports: files at the paths that they had, with their times; the device; reports that are damaged or lie."""

from __future__ import annotations

import io
import random
import zipfile
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from triage.artifacts.structure import StructureError
from triage.artifacts.ufdr import is_report, read_report, time_of
from triage.case.store import Case
from triage.cli import run as triage

if TYPE_CHECKING:
    from pathlib import Path

FILE = """<file fs="{fs}" path="{path}" size="{size}" id="{id}" extractionId="0" deleted="{deleted}" embedded="false">
<accessInfo><timestamp name="CreationTime" format="TimeStampKnown" formattedTimestamp="2021-05-06T07:08:09.5+02:00">x</timestamp>
<timestamp name="ModifyTime">2021-05-06T07:08:10.000+00:00</timestamp><timestamp name="AccessTime">06/05/2021</timestamp></accessInfo>
<metadata section="File"><item name="Local Path" systemtype="System.String"><![CDATA[{local}]]></item>
<item name="MD5"><![CDATA[0]]></item></metadata></file>"""
HEAD = """<?xml version="1.0" encoding="utf-8"?>
<project id="1" name="a report" reportVersion="5.3.0.0" xmlns="http://pa.cellebrite.com/report/2.0">
<metadata section="Device Info"><item name="DeviceInfoDetectedManufacturer"><![CDATA[Samsung]]></item>
<item name="DeviceInfoDetectedModel">SM-G925F</item><item name="IMEI">356789012345678</item></metadata><taggedFiles>"""
FILES = [
    ("Data", "/data/com.app/files/A b.jpg", "files\\Image\\A b.jpg", "Intact", b"a picture"),
    ("Data", "/media/0/&#228;/x.txt", "files\\Text\\x.txt", "Intact", b"a text"),
    ("Data", "/media/0/gone.txt", "files\\Text\\gone (1).txt", "Deleted", b"a deleted text"),
]


def report(files: list[tuple[str, str, str, str, bytes]] = FILES, end: str = "</taggedFiles><decodedData/></project>") -> str:
    told = (
        FILE.format(fs=fs, path=path, local=local, deleted=deleted, size=len(data), id=number)
        for number, (fs, path, local, deleted, data) in enumerate(files)
    )
    return HEAD + "".join(told) + end


def archive(text: str, files: list[tuple[str, str, str, str, bytes]] = FILES) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr(zipfile.ZipInfo("files/Text/x.txt2"), b"not told of")
        for _, _, local, _, data in files:
            made.writestr(zipfile.ZipInfo(local.replace("\\", "/")), data)
        made.writestr(zipfile.ZipInfo("report.xml"), text.encode())
    return out.getvalue()


def examined(data: bytes, folder: Path) -> tuple[dict[str, dict[str, object]], list[str], dict[str, str]]:
    path = folder / "phone.ufdr"
    path.write_bytes(data)
    assert triage(["run", str(path), "--case", str(folder / "case"), "-q"]) in (0, 3)
    with Case.open(folder / "case") as case:
        (volume,) = case.volumes()
        rows = {row["path"].partition("/")[2]: row for row in case.files() if row["kind"] == "file"}
        assert volume["file_system"] in ("Cellebrite report (UFDR)", "ZIP archive")
        return rows, [problem["message"] for problem in case.problems()], case.evidence()[0]["facts"]


def test_files_stand_where_they_were_on_the_phone(tmp_path: Path) -> None:
    rows, problems, _ = examined(archive(report()), tmp_path)
    assert problems == []
    assert set(rows) == {
        "data/com.app/files/A b.jpg", "media/0/ä/x.txt", "media/0/gone.txt", "files/Text/x.txt2", "report.xml",
    }  # fmt: skip
    one = rows["media/0/ä/x.txt"]
    assert (one["crtime"], one["mtime"], one["atime"]) == ("2021-05-06T05:08:09.500Z", "2021-05-06T07:08:10Z", None)
    assert one["size"] == 6
    assert rows["media/0/gone.txt"]["state"] != "allocated"


def test_several_file_systems_are_folders(tmp_path: Path) -> None:
    files = [*FILES, ("SD/card", "/data/com.app/files/A b.jpg", "files\\Image\\A b(1).jpg", "Intact", b"another")]
    rows, _, _ = examined(archive(report(files), files), tmp_path)
    assert {"Data/data/com.app/files/A b.jpg", "SD_card/data/com.app/files/A b.jpg"} <= set(rows)


def test_the_device_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "phone.ufdr"
    path.write_bytes(archive(report()))
    assert triage(["info", str(path)]) == 0
    told = capsys.readouterr().out
    for words in ("Samsung", "SM-G925F", "356789012345678", "Cellebrite report (UFDR)"):
        assert words in told


def test_a_report_that_breaks_off_is_said_and_what_it_told_holds(tmp_path: Path) -> None:
    rows, problems, _ = examined(archive(report(end="")[:-700]), tmp_path)
    assert "data/com.app/files/A b.jpg" in rows
    assert "files/Text/gone (1).txt" in rows
    assert any("the report of this archive is damaged" in problem for problem in problems)


def test_a_document_type_is_refused(tmp_path: Path) -> None:
    text = report().replace("<project", '<!DOCTYPE p [<!ENTITY a "b">]><project', 1)
    with pytest.raises(StructureError, match="document type"):
        read_report([text.encode()])
    rows, problems, _ = examined(archive(text), tmp_path)
    assert "files/Image/A b.jpg" in rows
    assert any("cannot be read" in problem for problem in problems)


def test_times_without_their_zone_are_not_taken() -> None:
    assert time_of("2021-05-06T07:08:09") is None
    assert time_of("2021-05-06T07:08:09Z") == 1620284889 * 10**9
    assert time_of("2021-05-06 07:08:09(UTC-5)") == (1620284889 + 5 * 3600) * 10**9
    assert time_of("2021-99-06T07:08:09Z") is None


def test_another_report_xml_is_no_report() -> None:
    assert not is_report(b"<?xml?><testsuite/>")
    assert is_report(report().encode())


def test_damage_never_breaks_it() -> None:
    data, rng = report().encode(), random.Random(3)
    for _ in range(300):
        mutant = bytearray(data)
        for _ in range(rng.choice((1, 3, 9))):
            mutant[rng.randrange(len(mutant))] = rng.choice(b'<>&"/ax]\0')
        with suppress(StructureError):
            read_report([bytes(mutant[:500]), bytes(mutant[500:])])
