"""Each list format: what is read out of it, and what is said of what is not."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.errors import HashsetError, UsageError
from triage.hashsets.detect import detect, reader
from triage.hashsets.records import HashRecord, Note, Packed, Reject, Unkept, digest_kind, other_kind
from triage.hashsets.source import Source

if TYPE_CHECKING:
    from pathlib import Path

    from triage.hashsets.records import Event


def md5(text: str) -> bytes:
    return hashlib.md5(text.encode(), usedforsecurity=False).digest()


def sha1(text: str) -> bytes:
    return hashlib.sha1(text.encode(), usedforsecurity=False).digest()


def sha256(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


class Read:
    """Everything a reader yielded for a list, sorted by kind."""

    def __init__(self, events: list[Event], fmt: str) -> None:
        self.format = fmt
        self.records = [e for e in events if isinstance(e, HashRecord)]
        self.packed = [e for e in events if isinstance(e, Packed)]
        self.rejects = [e for e in events if isinstance(e, Reject)]
        self.unkept = [e for e in events if isinstance(e, Unkept)]
        self.notes = [e.text for e in events if isinstance(e, Note)]

    @property
    def md5s(self) -> list[bytes]:
        packed = b"".join(p.digests for p in self.packed if p.algorithm == "md5")
        return [packed[i : i + 16] for i in range(0, len(packed), 16)] + [r.md5 for r in self.records if r.md5]

    @property
    def rejected_lines(self) -> list[int]:
        return [reject.line for reject in self.rejects]


@pytest.fixture
def read(tmp_path: Path):
    def run(content: bytes | str, fmt: str = "auto") -> Read:
        path = tmp_path / "list.bin"  # the name says nothing
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        source = Source(path)
        chosen = detect(source) if fmt == "auto" else fmt
        return Read(list(reader(chosen)(source)), chosen)

    return run


A, B, C = md5("a"), md5("b"), md5("c")


# plain


def test_plain_list_of_one_kind_is_read(read):
    found = read(f"{A.hex()}\n{B.hex().upper()}\n{C.hex()}")
    assert (found.format, sorted(found.md5s), found.rejects) == ("plain", sorted([A, B, C]), [])


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_plain_list_with_any_line_end_goes_the_fast_way(read, end):
    found = read(end.join([A.hex(), B.hex(), C.hex()]) + end)
    assert sorted(found.md5s) == sorted([A, B, C])
    assert found.packed


@pytest.mark.parametrize(("start", "end"), [(15, 16), (14, 16), (0, 2)])
def test_a_blank_inside_a_digest_rejects_its_line_and_no_other(read, start, end):
    broken = A.hex()[:start] + " " * (end - start) + A.hex()[end:]
    found = read("\n".join([B.hex(), broken, C.hex()]) + "\n")
    assert (sorted(found.md5s), set(found.rejected_lines)) == (sorted([B, C]), {2})


@pytest.mark.parametrize("head", ["MD5", "md5", "\ufeffMD5", "# exported\n\nMD5"])
def test_first_line_may_name_the_kind(read, head):
    found = read(f"{head}\n{A.hex()}\n{sha1('a').hex()}\n")
    assert (found.format, found.md5s, len(found.rejects)) == ("plain", [A], 1)


def test_first_line_of_another_kind_keeps_nothing_and_counts(read):
    found = read(f"MD4\n{A.hex()}\n{B.hex()}\n")
    assert (found.records, found.packed) == ([], [])
    assert sum(u.times for u in found.unkept if u.kind == "md4") == 2


def test_64_digits_are_sha256_unless_the_list_says_pdq(read):
    listed = f"{sha256('a').hex()}\n{sha256('b').hex()}\n"
    unnamed, named, pdq = read(listed), read("SHA-256\n" + listed), read("PDQ\n" + listed)
    assert any("PDQ" in note for note in unnamed.notes)
    assert named.notes == []
    assert (pdq.records, pdq.packed, sum(u.times for u in pdq.unkept)) == ([], [], 2)


def test_several_digests_in_a_line_are_one_record(read):
    found = read(f"{A.hex()} {sha1('a').hex()} {sha256('a').hex()}\n")
    assert found.records == [HashRecord(A, sha1("a"), sha256("a"))]


def test_two_digests_of_one_kind_in_a_line_are_two_records(read):
    assert sorted(read(f"{A.hex()} {B.hex()}\n").md5s) == sorted([A, B])


def test_comments_quotes_and_prefixes_are_taken_off(read):
    found = read(f'# a comment\n"{A.hex()}"  # this one\n\nmd5:{B.hex()}\nsha512:{"0" * 128}\n', "plain")
    assert (sorted(found.md5s), [u.kind for u in found.unkept]) == (sorted([A, B]), ["sha512"])


def test_digest_of_31_digits_is_rejected_with_its_line(read):
    found = read(f"{A.hex()}\n{B.hex()[:31]}\n{C.hex()}\n")
    assert (sorted(found.md5s), found.rejected_lines) == (sorted([A, C]), [2])
    assert "31" in found.rejects[0].reason


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_utf16_with_a_mark_is_read(read, encoding):
    text = f"{A.hex()}\r\n{B.hex()}\r\n"
    data = text.encode(encoding) if encoding in ("utf-16", "utf-32") else ("\ufeff" + text).encode(encoding)
    assert sorted(read(data).md5s) == sorted([A, B])


@pytest.mark.parametrize("size", [(1 << 20) + 1, 5 << 20])
@pytest.mark.parametrize("fmt", ["plain", "csv", "sums", "hashdeep"])
def test_line_over_a_mebibyte_is_rejected_and_the_next_one_read(read, fmt, size):
    line = {"plain": "%s", "csv": "%s,x", "sums": "%s  x", "hashdeep": "%s,x"}[fmt] + "\n"
    head = "%%%% HASHDEEP-1.0\n%%%% md5,filename\n" if fmt == "hashdeep" else ""
    found = read(head + line % A.hex() + "z" * size + "\n" + line % B.hex(), fmt)
    assert sorted(found.md5s) == sorted([A, B])
    assert found.rejected_lines == [4 if fmt == "hashdeep" else 2]


def test_a_list_that_spans_many_blocks_keeps_its_line_numbers(read):
    lines = [md5(str(n)).hex() for n in range(70_000)]
    lines[65_000] = "rubbish"
    found = read("\n".join(lines) + "\n")
    assert (len(found.md5s), found.rejected_lines) == (69_999, [65_001])


# csv


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize(
    ("header", "row"),
    [
        (["name", "MD5", "SHA-1", "Category"], ["x", A.hex(), sha1("a").hex(), "1"]),
        (["category", "sha1", "hash_md5"], ["1", sha1("a").hex().upper(), A.hex()]),
        (["MD5 Hash", "CAT", "SHA1SUM", "comment"], [f'"{A.hex()}"', "1", f'"{sha1("a").hex()}"', "Zo\u00eb"]),
    ],
)
def test_csv_columns_are_found_by_name(read, delimiter, header, row):
    found = read(delimiter.join(header) + "\r\n" + delimiter.join(row) + "\r\n")
    assert (found.format, found.records, found.rejects) == ("csv", [HashRecord(A, sha1("a"), None, "1")], [])


def test_csv_without_a_header_goes_by_length(read):
    found = read(f"one,{A.hex()},{sha256('a').hex()}\ntwo,{B.hex()},\n")
    assert found.records == [HashRecord(A, None, sha256("a")), HashRecord(B)]
    assert any("PDQ" in note for note in found.notes)


def test_csv_counts_digests_that_are_not_kept(read):
    found = read(f"MD5;ssdeep;MD4;SHA384\n{A.hex()};3:ab:c;{'1' * 32};{'2' * 96}\n;3:ab:c;;\n")
    assert [r.md5 for r in found.records] == [A]
    assert sorted(u.kind for u in found.unkept) == ["md4", "sha384", "ssdeep", "ssdeep"]
    assert (found.rejected_lines, "ssdeep" in found.rejects[0].reason) == ([3], True)


def test_csv_row_with_one_bad_digest_keeps_the_good_one_and_reports_the_bad(read):
    found = read(f"MD5,SHA1\n{A.hex()},xyz\nnope,\n,\n")
    assert found.records == [HashRecord(A)]
    assert found.rejected_lines == [2, 3, 4]


def test_stray_quote_spoils_no_other_line(read):
    rows = [f'"open,{A.hex()}', f"x,{B.hex()}", f'y"y,{C.hex()}', f'"z",{md5("d").hex()}']
    found = read("name,MD5\n" + "\n".join(rows) + "\n")
    assert {B, C, md5("d")} <= set(found.md5s)


def test_quoted_field_over_two_lines_is_one_row(read):
    found = read(f'comment,MD5,category\n"two\nlines; ""quoted""",{A.hex()},7\nplain,{B.hex()},8\n')
    assert found.records == [HashRecord(A, category="7"), HashRecord(B, category="8")]
    assert found.rejects == []


def test_title_and_excel_line_above_the_header_are_passed(read):
    found = read(f"sep=;\nList of the week;;\nName;MD5\nx;{A.hex()}\n")
    assert (found.md5s, found.rejected_lines) == ([A], [2])


def test_latin1_and_ragged_rows_are_tolerated(read):
    data = f"MD5;Name;Category\n{A.hex()};Zo\u00eb;\u00e9\n{B.hex()}\n{C.hex()};a;b;c;d\n".encode("latin-1")
    assert [r.category for r in read(data).records] == ["\u00e9", "", "b"]


def test_nsrl_rds2_header_is_an_ordinary_csv(read):
    head = '"SHA-1","MD5","CRC32","FileName","FileSize","ProductCode","OpSystemCode","SpecialCode"'
    found = read(f'{head}\n"{sha1("a").hex().upper()}","{A.hex().upper()}","00","a,b",1,2,"3",""\n')
    assert found.records == [HashRecord(A, sha1("a"))]


# md5sum and kin


def test_sum_tools_forms_are_read(read):
    lines = [
        f"{A.hex()}  plain name",
        f"{B.hex()} *binary",
        f"\\{C.hex()}  new\\nline",
        f"MD5 (x (1).jpg) = {md5('d').hex()}",
        f"SHA1(y)= {sha1('e').hex()}",
        f"SHA256 (z) = {sha256('f').hex()}",
        f"      1234  {md5('g').hex()}  /md5deep",
    ]
    found = read("\r\n".join(lines))
    assert (found.format, found.rejects) == ("sums", [])
    assert set(found.md5s) == {A, B, C, md5("d"), md5("g")}
    assert {r.sha1 for r in found.records} >= {sha1("e")}
    assert {r.sha256 for r in found.records} >= {sha256("f")}


def test_a_file_name_that_looks_like_a_digest_is_a_name(read):
    found = read(f"{A.hex()}  {B.hex()}\n{C.hex()}  {sha256('x').hex()}\n")
    assert (found.format, found.md5s) == ("sums", [A, C])
    assert not any(r.sha256 for r in found.records)


def test_sums_of_other_kinds_are_counted_and_rubbish_rejected(read):
    found = read(f"MD5 (a) = {A.hex()}\nSHA512 (a) = {'0' * 128}\n{'0' * 128}  b\nwhat is this\nMD5 (b) = 12\n")
    assert (found.md5s, [u.kind for u in found.unkept]) == ([A], ["sha512", "sha512"])
    assert found.rejected_lines == [4, 5]


# hashdeep


def test_hashdeep_is_read_by_its_own_header(read):
    found = read(
        f"%%%% HASHDEEP-1.0\n%%%% size,md5,sha256,filename\n## Invoked from: /x\n12,{A.hex()},{sha256('a').hex()},/a,b\n"
        f"bad\n%%%% size,sha-1,tiger,filename\n5,{sha1('b').hex()},{'0' * 48},/c\n"
    )
    assert (found.format, found.rejected_lines) == ("hashdeep", [5])
    assert found.records == [HashRecord(A, None, sha256("a")), HashRecord(None, sha1("b"))]
    assert [u.kind for u in found.unkept] == ["tiger"]


# NSRL


def nsrl(path: Path, script: str) -> Path:
    with closing(sqlite3.connect(path)) as database:
        database.executescript(script)
        database.commit()
    return path


ROW = f"'{sha256('a').hex().upper()}', '{sha1('a').hex().upper()}', '{A.hex().upper()}'"
MINIMAL = (
    "CREATE TABLE FILE(sha256 VARCHAR, sha1 VARCHAR, md5 VARCHAR, crc32 VARCHAR, file_name VARCHAR, file_size INTEGER, package_id INTEGER);"
    "CREATE TABLE PKG(package_id INTEGER, name VARCHAR);"
    "CREATE VIEW DISTINCT_HASH AS SELECT DISTINCT sha256, sha1, md5, crc32 FROM FILE;"
    f"INSERT INTO FILE VALUES({ROW}, 'AB', 'a', 1, 1);"
)
FULL = (
    "CREATE TABLE PACKAGE_OBJECT(package_object_id INTEGER, package_id INTEGER, object_id INTEGER);"
    "CREATE TABLE METADATA(metadata_id INTEGER, object_id INTEGER, bytes INTEGER, md5 VARCHAR, crc32 VARCHAR,"
    " sha256 VARCHAR, sha1 VARCHAR);"
    "CREATE VIEW FILE AS SELECT UPPER(sha256) AS sha256, UPPER(sha1) AS sha1, UPPER(md5) AS md5"
    " FROM METADATA JOIN PACKAGE_OBJECT USING(object_id);"
    f"INSERT INTO METADATA VALUES(1, 1, 5, '{A.hex()}', 'AB', '{sha256('a').hex()}', '{sha1('a').hex()}');"
    f"INSERT INTO METADATA VALUES(2, 2, 0, '{B.hex()}', 'AB', NULL, NULL);"
)
VIEW_ONLY = MINIMAL.replace("TABLE FILE", "TABLE STUFF").replace("FROM FILE", "FROM STUFF").replace("INTO FILE", "INTO STUFF")


@pytest.mark.parametrize("script", [MINIMAL, FULL, VIEW_ONLY])
def test_nsrl_databases_are_read_by_column_name(tmp_path, script):
    source = Source(nsrl(tmp_path / "rds", script))
    assert detect(source) == "nsrl"
    found = Read(list(reader("nsrl")(source)), "nsrl")
    assert (found.records, found.rejects, found.unkept) == ([HashRecord(A, sha1("a"), sha256("a"))], [], [])
    assert [p.name for p in tmp_path.iterdir()] == ["rds"]  # nothing was written beside it


@pytest.mark.parametrize(
    "script",
    [
        "CREATE TABLE FILE(name TEXT);",
        "CREATE TABLE other(md5 TEXT);",
        MINIMAL.replace("SELECT DISTINCT", "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n FROM r) SELECT")
        .replace("FROM FILE;", "FROM r, STUFF;")
        .replace("TABLE FILE", "TABLE STUFF")
        .replace("INTO FILE", "INTO STUFF"),
        MINIMAL.replace("TABLE FILE", "TABLE STUFF")
        .replace("INTO FILE", "INTO STUFF")
        .replace("DISTINCT sha256, sha1, md5, crc32 FROM FILE", "load_extension('x') AS md5, sha1, sha256 FROM STUFF"),
    ],
)
def test_nsrl_refuses_other_databases_and_views_that_do_more_than_read(tmp_path, script):
    source = Source(nsrl(tmp_path / "rds", script))
    with pytest.raises(HashsetError):
        list(reader("nsrl")(source))


def test_nsrl_with_a_write_ahead_log_beside_it_is_refused(tmp_path):
    path = nsrl(tmp_path / "rds", MINIMAL)
    (tmp_path / "rds-wal").write_bytes(b"x")
    with pytest.raises(HashsetError, match="rds-wal"):
        list(reader("nsrl")(Source(path)))


# VICS


def media(**changes: object) -> dict[str, object]:
    return {"MediaID": 1, "Category": 1, "MD5": A.hex().upper(), "SHA1": sha1("a").hex(), "MediaSize": 488} | changes


def vics(value: list[object], **more: object) -> str:
    context = "http://github.com/VICSDATAMODEL/ProjectVic/DataModels/2.0.xml/US/$metadata#Media"
    return json.dumps({"@odata.context": context, "value": value, **more})


def test_vics_2_media_are_read_with_raw_categories(read):
    found = read(vics([media(), media(MD5=B.hex(), SHA1=None, Category=None), media(MD5=C.hex(), SHA1="", Category="A-1")]))
    assert found.format == "vics"
    assert [r[:4] for r in found.records] == [(A, sha1("a"), None, "1"), (B, None, None, ""), (C, None, None, "A-1")]
    assert any("2.0.xml/US" in note for note in found.notes)


def test_vics_strings_for_booleans_and_numbers_change_nothing(read):
    dirty = media(Category="1", MediaSize="488", MediaID="1", VictimIdentified="False", IsDistributed="true", IsSuspected=None)
    clean = media(VictimIdentified=False, IsDistributed=True)
    facts = (("distributed", "yes"), ("victim_identified", "no"))
    assert read(vics([dirty])).records == read(vics([clean])).records == [HashRecord(A, sha1("a"), None, "1", facts=facts, size=488)]


def test_vics_1_with_a_mark_and_alternative_hashes(read):
    entry = media(
        SHA1=None,
        AlternativeHashes=[
            {"HashName": "SHA256", "HashValue": sha256("a").hex()},
            {"HashName": "PhotoDNA", "HashValue": "A" * 192},
            {"MD5": A.hex(), "HashName": "odd", "HashValue": "1"},
            "no object",
        ],
    )
    text = json.dumps({"odata.metadata": "http://github.com/ICMEC/ProjectVic/DataModels/1.3.xml#Media", "value": [entry]}, indent=1)
    found = read(b"\xef\xbb\xbf" + text.encode())
    assert [(*r[:4], r.more) for r in found.records] == [(A, None, sha256("a"), "1", (("photodna", bytes(144)),))]
    assert sorted(u.kind for u in found.unkept) == ["another kind"]


def test_vics_cases_and_nist_caid_are_read(read):
    cases = vics([{"CaseID": "x", "Media": [media(), media(MD5=B.hex())]}, {"CaseID": "y", "Media": []}])
    assert [r.md5 for r in read(cases).records] == [A, B]
    caid = {
        "odata.metadata": "http://github.com/ICMEC/ProjectVic/DataModels/1.2.xml#Media",
        "value": [{"odata.id": 'Media("x")', "MediaFiles": [{"MD5": B.hex(), "FileName": "f"}], "MD5": A.hex(), "Category": 8}],
    }
    assert read(json.dumps(caid)).records == [HashRecord(A, category="8")]


def test_vics_bad_entries_are_rejected_with_their_lines_and_the_rest_read(read):
    text = (
        '{"@odata.context": "x#Media", "value": [\n'
        + json.dumps(media())
        + ',\n{"MD5": nonsense},\n{"MD5": "123"},\n17,\n{},\n'
        + json.dumps(media(MD5=B.hex()))
        + "\n]}"
    )
    found = read(text)
    assert [r.md5 for r in found.records] == [A, B]
    assert found.rejected_lines == [3, 4, 5, 6]


def test_vics_list_that_ends_early_is_read_up_to_there_and_called_incomplete(read):
    found = read(vics([media(), media(MD5=B.hex())])[:-80])
    assert [r.md5 for r in found.records] == [A]
    assert any("NOT COMPLETE" in note for note in found.notes)


def test_vics_digest_far_behind_a_very_long_field_is_found(read):
    entry = {"Comments": "x" * (6 << 20), "Exifs": [{"PropertyValue": 'a"]}\\'}] * 10, "MD5": A.hex(), "Category": 2}
    found = read(vics([entry, media(MD5=B.hex())]))
    assert [r[:4] for r in found.records] == [(A, None, None, "2"), (B, sha1("a"), None, "1")]


def test_vics_damaged_entry_in_a_case_costs_that_entry_alone(read):
    text = (
        '{"odata.metadata": "x#Cases", "value": [{"CaseID": 1, "Media": ['
        + json.dumps(media())
        + ',{"MD5": zz},'
        + json.dumps(media(MD5=B.hex()))
        + "]}]}"
    )
    found = read(text)
    assert ([r.md5 for r in found.records], len(found.rejects)) == ([A, B], 1)


def test_vics_deep_nesting_is_rejected_not_followed(read):
    deep = '{"MD5": ' * 100_000
    found = read('{"odata": 1, "value": [' + json.dumps(media()) + "," + deep)
    assert [r.md5 for r in found.records] == [A]
    assert found.rejects
    nested = '{"odata": 1, "value": [' + '{"Media": [' * 5_000
    assert read(nested).records == []


# detection and damage


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "empty"),
        (b" \n\n", "empty"),
        (b"PK\x03\x04rest", "ZIP"),
        (b"\x1f\x8b\x08", "unpacked"),
        (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
        (b"Dear Sir,\nplease find attached the list.\n", "no hash list"),
        (bytes(range(256)) * 4, "no hash list"),
    ],
)
def test_what_is_no_list_is_refused_with_a_reason(tmp_path, data, word):
    path = tmp_path / "list.csv"
    path.write_bytes(data)
    with pytest.raises(HashsetError, match=word):
        detect(Source(path))


def test_unknown_format_name_is_a_usage_error():
    with pytest.raises(UsageError, match="vics"):
        reader("xls")


@pytest.mark.parametrize(
    ("name", "kind", "other"),
    [
        ("SHA-256", "sha256", None),
        ("sha2_256", "sha256", None),
        ("Hash MD5", "md5", None),
        ("MD5SUM", "md5", None),
        ("PhotoDNA", None, "photodna"),
        ("ed2k", None, "ed2k"),
        ("sha512", None, "sha512"),
        ("filename", None, None),
        ("md5 of parent", None, None),
    ],
)
def test_names_of_digests(name, kind, other):
    assert (digest_kind(name), other_kind(name)) == (kind, other)


def test_source_that_changes_while_it_is_read_is_noticed(tmp_path):
    path = tmp_path / "list"
    path.write_text(A.hex())
    source = Source(path)
    path.write_text(A.hex() + "\n" + B.hex())
    with pytest.raises(HashsetError, match="changed"):
        source.check_unchanged()


SAMPLES = {
    "plain": "\n".join(md5(str(n)).hex() for n in range(30)).encode(),
    "csv": ("name,MD5,SHA1,category\n" + "".join(f'"n{n}",{md5(str(n)).hex()},{sha1(str(n)).hex()},{n}\n' for n in range(15))).encode(),
    "sums": "".join(f"{md5(str(n)).hex()}  name {n}\nMD5 (x) = {A.hex()}\n" for n in range(15)).encode(),
    "hashdeep": b"%%%% HASHDEEP-1.0\n%%%% size,md5,filename\n" + b"".join(b"1,%s,/x\n" % md5(str(n)).hex().encode() for n in range(15)),
    "vics": vics(
        [
            media(MediaID=n, MD5=md5(str(n)).hex(), AlternativeHashes=[{"HashName": "SHA256", "HashValue": sha256(str(n)).hex()}])
            for n in range(10)
        ]
    ).encode(),
}


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    folder = tmp_path_factory.mktemp("samples")
    database = nsrl(folder / "rds", MINIMAL + f"INSERT INTO FILE VALUES({ROW}, 'AB', 'a', 1, 1);" * 20).read_bytes()
    return folder, SAMPLES | {"nsrl": database}


@pytest.mark.parametrize("fmt", [*SAMPLES, "nsrl"])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damaged_lists_give_records_and_rejects_or_our_own_error(samples, fmt, data):
    folder, contents = samples
    content = bytearray(contents[fmt])
    for _ in range(data.draw(st.integers(1, 12))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    path = folder / f"damaged-{fmt}"
    path.write_bytes(bytes(content if data.draw(st.booleans()) else content[:cut]))
    try:
        events = list(reader(fmt)(Source(path)))
    except HashsetError:
        assert fmt == "nsrl"  # text is read around its damage
        return
    for event in events:
        if isinstance(event, HashRecord):
            assert [len(d) for d in event[:3] if d] == [n for d, n in zip(event[:3], (16, 20, 32), strict=True) if d]
        if isinstance(event, Packed):
            assert event.digests
            assert len(event.digests) % 16 == 0 or event.algorithm != "md5"


@pytest.mark.parametrize("fmt", list(SAMPLES))
def test_undamaged_samples_are_told_apart_and_read_whole(read, fmt):
    found = read(SAMPLES[fmt])
    assert (found.format, found.rejects) == (fmt, [])
    assert len(found.md5s) >= 10


def test_sums_of_mixed_kinds_in_one_block_are_told_apart(read):
    # 40 + 32 + 48 digits: the middle of a block must not be cut by the length of its first line
    found = read(f"{sha1('a').hex()}  x\n{sha1('b').hex()}  x\n{A.hex()}  y\n{'0' * 48}  z\n{sha1('c').hex()}  x\n")
    packed = b"".join(p.digests for p in found.packed)
    kept = {packed[i : i + 20] for i in range(0, len(packed), 20)} | {r.sha1 for r in found.records if r.sha1}
    assert (kept, found.md5s, found.rejected_lines) == ({sha1("a"), sha1("b"), sha1("c")}, [A], [4])
