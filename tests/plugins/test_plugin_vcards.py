"""Address books and calendars in files: real ones, all versions of vCard, damage."""

from __future__ import annotations

import base64
import quopri
from typing import TYPE_CHECKING

from real_samples import ARTIFACTS, bytes_of, children, findings, item_of, mutants, needs_samples, never_fails, problems, run

if TYPE_CHECKING:
    from triage.plugin import Finding, Item

JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 2
PHOTO = base64.b64encode(JPEG)
FOLDED = b"\r\n ".join(PHOTO[n : n + 70] for n in range(0, len(PHOTO), 70))
V3 = (
    b"BEGIN:VCARD\r\nVERSION:3.0\r\nN:Doe;Kim;Q.;Dr.;\r\nFN:Kim Doe\r\nTEL;TYPE=CELL:+49 1\r\nTEL:+49 2\r\nEMAIL:kim@exa\r\n mple.org\r\n"
    b"item1.URL:https://example.org/kim\r\nitem2.X-THING:yes\r\nitem2.X-ABLabel:Odd\r\nX-SKYPE:kimdoe\r\nORG:Firm;Part\r\n"
    b"NOTE:one\\, two\\nthree\r\nREV:20231114T221320Z\r\nPHOTO;ENCODING=b;TYPE=JPEG:" + FOLDED + b"\r\nEND:VCARD\r\n"
)
V21 = (
    b"BEGIN:VCARD\r\nVERSION:2.1\r\nN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:"
    + quopri.encodestring("Müller;Jörg".encode() + b" " * 2 + b"ein sehr langer Name, der in mehrere Zeilen geht und geht").replace(
        b"\n", b"\r\n"
    )
    + b"\r\nTEL;CELL:123\r\nPHOTO;JPEG;BASE64:\r\n"
    + b"\r\n".join(PHOTO[n : n + 70] for n in range(0, len(PHOTO), 70))
    + b"\r\n\r\nEMAIL;INTERNET:j@example.org\r\nEND:VCARD\r\n"
)
V4 = b"BEGIN:VCARD\nVERSION:4.0\nFN:Four\nTEL;VALUE=uri:tel:+1-2\nPHOTO:data:image/png;base64," + PHOTO + b"\nEND:VCARD\n"
ICS = (
    b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VTIMEZONE\r\nTZID:Europe/Berlin\r\nBEGIN:STANDARD\r\nDTSTART:19701025T030000\r\nEND:STANDARD\r\n"
    b"END:VTIMEZONE\r\nBEGIN:VEVENT\r\nDTSTART;TZID=Europe/Berlin:20231114T221320\r\nDTEND:20231114T231320Z\r\n"
    b"SUMMARY:a meeting\\, at last\r\n"
    b"LOCATION:the lake\r\nORGANIZER;CN=\"Kim: Doe\":mailto:kim@example.org\r\nATTENDEE;CN=Jo;\r\n ROLE=REQ:mailto:jo@example.org\r\n"
    b"BEGIN:VALARM\r\nDESCRIPTION:ring\r\nEND:VALARM\r\nEND:VEVENT\r\nBEGIN:VTODO\r\nDTSTART;VALUE=DATE:20231114\r\nSUMMARY:call\r\nEND:VTODO\r\n"
    b"END:VCALENDAR\r\n"
)  # fmt: skip
PATH = "vol1/Users/kim/contacts.vcf"


def samples() -> list[Item]:
    return [item_of(V3 + V21, PATH), item_of(ICS, "vol1/Users/kim/home.ics")]


def contacts(data: bytes) -> list[Finding]:
    return findings(run("vcards", item_of(data, PATH)), "contact")


def test_a_person_has_name_numbers_addresses_and_more() -> None:
    (found,) = contacts(V3)
    assert found.title == "contact Kim Doe"
    assert found.data == {
        "user": "kim",
        "name": "Kim Doe",
        "numbers": ["+49 1", "+49 2"],
        "emails": ["kim@example.org"],
        "urls": ["https://example.org/kim"],
        "other": ["Odd: yes"],
        "accounts": ["skype: kimdoe"],
        "organisation": "Firm, Part",
        "note": "one, two\nthree",
        "changed_time": "2023-11-14T22:13:20Z",
    }
    assert found.ranges == ((0, len(V3)),)


def test_the_old_form_is_read_with_its_encodings() -> None:
    (found,) = contacts(V21)
    assert found.data["name"].startswith("Jörg  ein sehr langer Name, der in mehrere Zeilen geht und geht Müller")
    assert (found.data["numbers"], found.data["emails"]) == (["123"], ["j@example.org"])


def test_pictures_of_all_versions_are_children() -> None:
    item = item_of(V3 + V21 + V4, PATH)
    said = run("vcards", item)
    assert [child.name for child in children(said)] == ["00001-0.jpg", "00002-0.jpg", "00003-0.png"]
    assert [bytes_of(item, child) for child in children(said)] == [JPEG] * 3
    assert children(said)[0].findings[0].title == "kept with contact Kim Doe"
    assert problems(said) == []


def test_appointments_have_their_own_zone_or_utc() -> None:
    said = findings(run("vcards", item_of(ICS, "vol1/Users/kim/home.ics")))
    assert [f.kind for f in said] == ["appointment", "appointment"]
    first, second = said
    assert first.title == "appointment: a meeting, at last"
    assert (first.data["time"], first.data["time_zone"], first.data["end_time"]) == (
        "2023-11-14T22:13:20",
        "Europe/Berlin",
        "2023-11-14T23:13:20Z",
    )
    assert (first.data["place"], first.data["organizer"]) == ("the lake", "Kim: Doe <kim@example.org>")
    assert first.data["people"] == ["Jo <jo@example.org>"]
    assert "text" not in first.data
    assert (second.title, second.data["time"]) == ("task: call", "2023-11-14")


def test_an_address_book_in_utf_16_is_read_and_its_pictures_are_said_to_be_lost() -> None:
    said = run("vcards", item_of(b"\xff\xfe" + V3.decode().encode("utf-16-le"), PATH))
    assert findings(said)[0].data["name"] == "Kim Doe"
    assert [p.message for p in problems(said)] == ["1 pictures or attachments cannot be read out"]


def test_a_person_whose_end_is_missing_is_told_and_that_is_said() -> None:
    said = run("vcards", item_of(V3[: V3.index(b"PHOTO")] + V4, PATH))
    assert [f.data["name"] for f in findings(said)] == ["Four", "Kim Doe"]
    assert "no end" in problems(said)[0].message


def test_one_person_with_very_many_numbers_is_cut_and_that_is_told() -> None:
    (found,) = contacts(b"BEGIN:VCARD\n" + b"".join(b"TEL:%d\n" % n for n in range(50_000)) + b"END:VCARD\n")
    assert len(found.data["numbers"]) == 21
    assert found.data["numbers"][-1] == "and 49,980 more"


def test_damage_never_breaks_it() -> None:
    for data in mutants(V3 + V21 + V4, 150):
        never_fails("vcards", item_of(data, PATH))
    for data in mutants(ICS, 150, seed=2):
        never_fails("vcards", item_of(data, "vol1/a.ics"))


class TestRealSamples:
    pytestmark = needs_samples

    def test_all_real_people_are_found(self) -> None:
        names = {}
        for path in sorted((ARTIFACTS / "iped").glob("*.vcf")):
            said = run("vcards", item_of(path.read_bytes(), f"vol1/{path.name}"))
            assert problems(said) == []
            assert len(findings(said, "contact")) == path.read_bytes().count(b"BEGIN:VCARD")
            names[path.stem] = [f.data.get("name", "") for f in findings(said)]
        assert names["test_contactsMultiple"] == ["Taxi Lago Norte", "Sushi Loko Flamingo", "Smart Assistência Técnica"]
        assert sum(map(len, names.values())) == 10

    def test_one_with_all_fields_is_whole(self) -> None:
        data = (ARTIFACTS / "iped" / "test_contactsCompleteInfo.vcf").read_bytes()
        found = findings(run("vcards", item_of(data, PATH)))[3].data
        assert found["emails"] == ["insuportavel@test.paraparapara"]
        assert (found["organisation"], found["job"], found["birthday"]) == ("nicolecity, dança", "CEO do para para", "19961024")
        assert found["addresses"][0].startswith("73100-900, isso mesmo, R. da Casa do Prof. Elder, Bela Vista, MS, 79260-000, BR")
        assert found["urls"][0] == "www.rato.com.br"
        assert found["urls"][1].endswith("pthBJZmgCOQCEAE/photo.jpg")
