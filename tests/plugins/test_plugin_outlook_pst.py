"""Outlook's stores: a real one, made ones of all layouts and ways of hiding, deleted messages, and damage."""

from __future__ import annotations

import hashlib
import struct
from collections import Counter

import pytest
from pst_maker import INBOX, TIME, WASTE, Attachment, Maker, Message, store
from real_samples import ARTIFACTS, bytes_of, children, findings, item_of, mutants, needs_samples, never_fails, problems, run

from triage.artifacts import pstcodec
from triage.artifacts.pst import Pst
from triage.plugin import Item

LARGE = bytes(range(256)) * 1200
LAYOUTS = [(version, method) for version in (14, 23, 36) for method in (pstcodec.NONE, pstcodec.PERMUTE, pstcodec.CYCLIC)]


def mail(subject: str = "the keys", **more: object) -> Message:
    values = {0x001A: "IPM.Note", 0x0037: subject, 0x0C1A: "Kim", 0x0C1F: "kim@example.org", 0x0039: (TIME,), 0x1000: "come at noon"}
    return Message(values, [(1, "Lee", "lee@example.org"), (2, "Jo", "jo@example.org")], **more)


def sample(version: int = 23, method: int = pstcodec.NONE) -> bytes:
    inner = mail("inside", attached=[Attachment("deep.bin", b"deep" * 30)])
    first = mail(attached=[Attachment("small.jpg", b"\xff\xd8small"), Attachment("large.bin", LARGE), Attachment("inside", inner)])
    return store([first, mail("thrown away", folder=WASTE), mail("wiped", listed=False)], version, method)


def one(data: bytes) -> Item:
    return item_of(data, "vol1/Users/kim/AppData/Local/Microsoft/Outlook/kim.pst")


def samples() -> list[Item]:
    return [one(store([mail()]))]


class TestRealSamples:
    pytestmark = needs_samples

    def real(self) -> Item:
        return one((ARTIFACTS / "iped" / "test_sample.pst").read_bytes())

    def test_all_messages_are_found_that_libpff_finds(self) -> None:
        said = [f for f in findings(run("outlook_pst", self.real())) if not f.data.get("deleted")]
        top = "Início de Pastas Particulares"
        training = "Updated: Olympus training for new hires"
        assert Counter((f.kind, f.data["folder"], f.data.get("subject", f.data.get("name"))) for f in said[1:]) == Counter(
            {
                ("appointment", f"{top}/Itens Excluídos", training): 4,
                ("appointment", f"{top}/Calendar", training): 1,
                ("mail", f"{top}/Caixa de Entrada", "this is a test message"): 1,
                ("mail", f"{top}/Caixa de Entrada", "Re: [sepinf-inc/IPED] WIP Parsers tests (#481)"): 1,
                ("mail", f"{top}/Caixa de Entrada", "Re: Solicita documentação para contrato de estágio na DITEC/PF."): 1,
                ("mail", f"{top}/Itens Enviados", "This is a test message with attachment!!!"): 1,
                ("appointment", f"{top}/Calendário", "TERMINAR TESTE PST"): 1,
                ("contact", f"{top}/Contatos", "Sr. Guilherme Andreúce Monteiro"): 1,
                ("appointment", f"{top}/Tarefas", "Lavar o carro do Senhor Miyazaki"): 1,
                ("appointment", f"{top}/Tarefas", "Beber chá mate da dona Azeneide e escrever crítica em site"): 1,
            }
        )
        assert [f.data["state"] for f in said if "Excluídos" in f.data.get("folder", "")] == ["in the folder of deleted items"] * 4
        assert (said[0].kind, said[0].data["messages"], said[0].data["name"]) == ("mailbox", 13, "thisisatest")

    def test_messages_are_found_of_which_only_free_pages_know(self) -> None:
        item = self.real()
        said = run("outlook_pst", item)
        found = [f for f in findings(said) if f.data.get("deleted")]
        assert [(f.data["subject"], f.data["number"], f.data.get("incomplete", "")) for f in found] == [
            ("this is a test message", 0x200164, "parts of it are gone"),
            ("Re: [sepinf-inc/IPED] WIP Parsers tests (#481)", 0x200184, ""),
            ("Re: Solicita documentação para contrato de estágio na DITEC/PF.", 0x2001A4, "parts of it are gone"),
            ("This is a test message with attachment!!!", 0x2001C4, ""),
        ]
        (child,) = [c for c in children(said) if c.deleted]
        assert hashlib.md5(bytes_of(item, child)).hexdigest() == "99bf6e66a71660b10db7078cf255fcee"

    def test_a_mail_says_who_wrote_to_whom_and_when(self) -> None:
        found = next(f for f in findings(run("outlook_pst", self.real()), "mail") if "481" in f.title)
        assert found.data["from"] == "Luis Nassif <notifications@github.com>"
        assert found.data["cc"] == "Guilherme Andreúce <guilhermeandreuce@gmail.com>, Mention <mention@noreply.github.com>"
        assert (found.data["time"], found.data["message_id"]) == (
            "2021-04-26T20:52:54Z",
            "<sepinf-inc/IPED/pull/481/c827139426@github.com>",
        )
        assert found.data["text"].startswith("Solved by using my abstrackpackage instead of hardcoding the parser.")

    def test_attachments_have_the_bytes_that_libpff_gives(self) -> None:
        item = self.real()
        said = run("outlook_pst", item)
        assert {c.name.partition("-0-")[2]: hashlib.md5(bytes_of(item, c)).hexdigest() for c in children(said) if not c.deleted} == {
            "ContactPicture.jpg": "a6bb5e82bfad2f7d9695ec435dfedff1",
            "lionel-animals-to-follow-on-instagram-1568319926.jpg": "99bf6e66a71660b10db7078cf255fcee",
        }
        assert problems(said) == []

    def test_it_is_read_by_ranges(self) -> None:
        data = (ARTIFACTS / "iped" / "test_sample.pst").read_bytes()
        asked: list[int] = []

        def read_at(offset: int, length: int) -> bytes:
            asked.append(length)
            return data[offset : offset + length]

        known = one(data)
        item = Item(known.entry, known.content, known.type, read_at=read_at, size=len(data))
        assert len(findings(run("outlook_pst", item))) == 18
        # Once through the file for what is in free pages; all else block by block.
        assert [length for length in asked if length > 8192] == [len(data)]
        assert sum(asked) < 2.2 * len(data)

    def test_damage_of_the_real_one_never_breaks_it(self) -> None:
        for data in mutants((ARTIFACTS / "iped" / "test_sample.pst").read_bytes(), 25):
            if one(data).type is not None:
                never_fails("outlook_pst", one(data))


@pytest.mark.parametrize(("version", "method"), LAYOUTS)
def test_all_layouts_and_ways_of_hiding_are_read(version: int, method: int) -> None:
    item = one(sample(version, method))
    said = run("outlook_pst", item)
    assert [(f.data["subject"], f.data["folder"]) for f in findings(said, "mail")] == [
        ("thrown away", "Top/Deleted"),
        ("the keys", "Top/Inbox"),
        ("inside", "Top/Inbox"),
        ("wiped", "Top/Inbox"),
    ]
    assert {c.name: bytes_of(item, c) for c in children(said)} == {
        "Top/Inbox/000002-0-small.jpg": b"\xff\xd8small",
        "Top/Inbox/000002-1-large.bin": LARGE,
        "Top/Inbox/000002-2-0-deep.bin": b"deep" * 30,
    }
    assert {f.data["to"] for f in findings(said, "mail")} == {"Lee <lee@example.org>"}
    assert problems(said) == []


def test_what_no_folder_lists_is_said_to_be_deleted() -> None:
    said = {f.data["subject"]: f for f in findings(run("outlook_pst", one(sample())), "mail")}
    assert said["wiped"].title == "deleted mail from Kim <kim@example.org> to Lee <lee@example.org>: wiped"
    assert said["wiped"].data["why_deleted"] == "it is in the store's tree, but no folder lists it any more"
    assert [said[name].data.get("deleted") for name in ("the keys", "thrown away", "inside")] == [None, None, None]
    assert said["thrown away"].data["state"] == "in the folder of deleted items"


@pytest.mark.parametrize("version", [14, 23, 36])
def test_messages_are_found_of_which_only_free_pages_know(version: int) -> None:
    maker = Maker(version, pstcodec.CYCLIC)
    gone = maker.message(mail("gone", attached=[Attachment("gone.bin", LARGE)]))
    recipients = maker.blocks[0]
    maker.btree(
        0x81, [(0x200404, struct.pack("<QQQII" if version > 14 else "<4I", 0x200404, *gone, INBOX, *([0] if version > 14 else [])))]
    )
    data = store([mail()], version, pstcodec.CYCLIC, maker=maker)
    item = one(data)
    said = run("outlook_pst", item)
    assert [(f.data["subject"], f.data.get("deleted")) for f in findings(said, "mail")] == [("the keys", None), ("gone", True)]
    assert problems(said) == []
    (child,) = children(said)
    assert (child.deleted, bytes_of(item, child)) == (True, LARGE)
    overwritten = bytearray(data)
    overwritten[recipients[1]] ^= 1
    former = findings(run("outlook_pst", one(bytes(overwritten))), "mail")[1]
    assert (former.data["subject"], former.data["incomplete"], "to" in former.data) == ("gone", "parts of it are gone", False)


def test_a_message_whose_folder_is_gone_is_said_to_be_deleted() -> None:
    (found,) = findings(run("outlook_pst", one(store([mail(folder=0x9002)]))), "mail")
    assert (found.data["why_deleted"], "folder" in found.data) == ("it is in the store's tree, but its folder is gone", False)


def test_a_password_is_told_and_locks_nothing() -> None:
    box, found = findings(run("outlook_pst", one(store([mail()], more={0x67FF: 0x12345678}))))
    assert box.data["password"] == "a password is set, which locks nothing"
    assert found.data["subject"] == "the keys"


def test_the_store_numbers_of_its_calendar_are_understood() -> None:
    event = Message({0x001A: "IPM.Appointment", 0x0037: "meet", 0x8000: (TIME,)})
    (found,) = findings(run("outlook_pst", one(store([event]))), "appointment")
    assert (found.data["start"], found.title) == ("2024-01-17T21:20:00Z", "appointment: meet")


def test_one_that_windows_encrypted_is_said_to_be() -> None:
    data = bytearray(store([mail()]))
    data[0x201] = 0x10
    (said,) = run("outlook_pst", one(bytes(data)))
    assert said.message == "a mailbox of Outlook that cannot be read: it is encrypted by Windows Information Protection"


def test_a_text_longer_than_a_finding_holds_is_an_entry() -> None:
    long = mail()
    long.values[0x1000] = "word " * 2000
    item = one(store([long]))
    (child,) = children(run("outlook_pst", item))
    assert (child.name, bytes_of(item, child).decode("utf-16-le")) == ("Top/Inbox/000001-body.txt", "word " * 2000)


def test_with_very_many_mails_less_of_each_text_is_given_and_that_is_said() -> None:
    long = mail()
    long.values[0x1000] = "word " * 1500
    said = run("outlook_pst", one(store([long] + [mail(listed=False)] * 3000)))
    assert len(children(said)) == 0
    assert 5000 < max(len(f.data["text"]) for f in findings(said, "mail")) < 7000
    assert ["since there are very many" in p.message for p in problems(said)] == [True]


def test_a_block_that_is_gone_is_said() -> None:
    data = bytearray(store([mail(attached=[Attachment("large.bin", LARGE)])]))
    pst = Pst(lambda offset, length: bytes(data[offset : offset + length]), len(data))
    at = data.find(LARGE[:8176])
    place = data.find(struct.pack("<Q", at), len(data) - 8192)
    assert pst.layout.wide
    data[place : place + 8] = b"\xff" * 8
    item = one(bytes(data))
    said = run("outlook_pst", item)
    assert "a block is not there" in [p.message.partition(" (")[0] for p in problems(said)]
    assert len(bytes_of(item, children(said)[0])) == len(LARGE) - 8176


def test_lists_that_lead_in_circles_end() -> None:
    data = bytearray(sample())
    pst = Pst(lambda offset, length: bytes(data[offset : offset + length]), len(data))
    for number in range(4, 400):
        block = pst.block(number)
        if block is not None and number & 2 and data[block.offset] == 1:
            for at in range(block.offset + 8, block.offset + block.size, 8):
                data[at : at + 8] = struct.pack("<Q", number)
    never_fails("outlook_pst", one(bytes(data)))


@pytest.mark.parametrize("version", [14, 23, 36])
def test_damage_never_breaks_it(version: int) -> None:
    for data in mutants(sample(version, pstcodec.CYCLIC), 60, version):
        if one(data).type is not None and one(data).type.name == "pst":
            never_fails("outlook_pst", one(data))
