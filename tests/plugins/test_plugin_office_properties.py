"""What documents of Office and OpenDocument say of themselves: real ones, made ones with links, people and macros; damage."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

from real_samples import ARTIFACTS, EVIDENCE, findings, item_of, mutants, needs_samples, never_fails, problems, run

if TYPE_CHECKING:
    from triage.plugin import Item

PATH = "vol1/Users/kim/Documents/a.docx"
RELATIONS = '<Relationships xmlns="r">{}</Relationships>'
LINK = '<Relationship Id="r{}" Type="http://schemas/officeDocument/2006/relationships/{}" Target="{}" TargetMode="External"/>'


class TestRealSamples:
    pytestmark = needs_samples

    def test_a_word_document(self) -> None:
        said = run("office_properties", one((ARTIFACTS / "iped/test_mockDoc1.docx").read_bytes()))
        assert problems(said) == []
        (document,) = findings(said)
        assert document.data["author"] == document.data["last_saved_by"] == "Guilherme Andreúce Sobreira Monteiro"
        assert (document.data["created"], document.data["modified"]) == ("2021-04-08T17:03:00Z", "2021-04-09T12:25:00Z")
        assert (document.data["program"], document.data["program_version"]) == ("Microsoft Office Word", "12.0000")

    def test_an_opendocument_text(self) -> None:
        said = run("office_properties", one((EVIDENCE / "types/magika/basic/odt/doc.odt").read_bytes()))
        assert findings(said)[0].data["program"].startswith("LibreOfficeDev/6.0.5.2")

    def test_damage_of_a_real_one_never_breaks_it(self) -> None:
        for damaged in mutants((ARTIFACTS / "iped/test_mockDoc1.docx").read_bytes(), 150):
            never_fails("office_properties", one(damaged))


def archive(parts: dict[str, str | bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, text in parts.items():
            made.writestr(zipfile.ZipInfo(name), text)
    return out.getvalue()


def word(more: dict[str, str | bytes] | None = None) -> bytes:
    links = [("hyperlink", "https://example.org/a?b=1"), ("attachedTemplate", "file:///C:/t.dotm"), ("image", "http://example.org/p.png")]
    return archive(
        {
            "[Content_Types].xml": "<Types><Override PartName='/word/document.xml'/></Types>",
            "word/document.xml": "<w:document/>",
            "docProps/core.xml": "<cp:coreProperties><dc:title>A plan</dc:title><dc:creator>Ann</dc:creator>"
            "<cp:lastModifiedBy>Bob</cp:lastModifiedBy><dcterms:created>2024-05-06T07:08:09Z</dcterms:created>"
            "<dcterms:modified>yesterday</dcterms:modified></cp:coreProperties>",
            "docProps/app.xml": "<Properties><Company>Acme</Company><Pages>3</Pages></Properties>",
            "word/_rels/document.xml.rels": RELATIONS.format("".join(LINK.format(i, *link) for i, link in enumerate(links))),
            "word/comments.xml": '<w:comments><w:comment w:author="Cid"/>'
            '<w:comment w:author="Ann"/><w:comment w:author="Cid"/></w:comments>',
            **(more or {}),
        }
    )


def one(data: bytes, path: str = PATH) -> Item:
    return item_of(data, path)


def samples() -> list[Item]:
    return [one(word())]


def test_who_wrote_it_who_saved_it_and_who_commented() -> None:
    (document,) = findings(run("office_properties", one(word())), "document")
    assert document.title == "a Word document by Ann: A plan"
    assert document.data == {
        "title": "A plan",
        "author": "Ann",
        "last_saved_by": "Bob",
        "created": "2024-05-06T07:08:09Z",
        "company": "Acme",
        "pages": "3",
        "people": ["Cid", "Ann"],
        "user": "kim",
    }


def test_where_it_links_to_and_what_it_takes_from_elsewhere() -> None:
    assert [found.title for found in findings(run("office_properties", one(word())), "document-link")] == [
        "links to https://example.org/a?b=1",
        "has its template at file:///C:/t.dotm",
        "shows a picture from http://example.org/p.png",
    ]


def test_macros_are_told() -> None:
    (found,) = findings(run("office_properties", one(word({"word/vbaProject.bin": b"x" * 50}))), "document-script")
    assert found.data["parts"] == ["word/vbaProject.bin"]


def test_an_opendocument_file_tells_the_first_author_and_the_last() -> None:
    meta = (
        "<office:document-meta><office:meta><meta:initial-creator>Ann</meta:initial-creator><dc:creator>Bob</dc:creator>"
        "<meta:creation-date>2020-01-02T03:04:05.000000006</meta:creation-date><dc:date>2021-01-02T03:04:05</dc:date></office:meta>"
        "</office:document-meta>"
    )
    item = one(archive({"mimetype": "application/vnd.oasis.opendocument.text", "content.xml": "<a/>", "meta.xml": meta}), "vol1/a.odt")
    (document,) = findings(run("office_properties", item))
    assert document.data == {
        "author": "Ann",
        "last_saved_by": "Bob",
        "created": "2020-01-02T03:04:05.000000006",
        "modified": "2021-01-02T03:04:05",
    }


def test_a_part_that_is_no_xml_is_said() -> None:
    said = run("office_properties", one(word({"docProps/core.xml": "nothing"})))
    assert [p.message for p in problems(said)] == ["a part of a document, which tells of its author, links or people, is damaged"]
    assert findings(said, "document")[0].data["company"] == "Acme"


def test_damage_never_breaks_it() -> None:
    for damaged in mutants(word(), 200):
        never_fails("office_properties", one(damaged))
