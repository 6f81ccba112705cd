"""What Apple Mail and Maildir note of a mail: made ones, and that the mail itself is still read."""

from __future__ import annotations

import plistlib
from typing import TYPE_CHECKING, Any

from real_samples import ARTIFACTS, findings, item_of, mutants, needs_samples, never_fails, problems, run
from test_plugin_mail import MAIL

if TYPE_CHECKING:
    from triage.plugin import Item

PATH = "vol1/Users/kim/Library/Mail/V9/X/INBOX.mbox/Y/Data/Messages/12.emlx"
NOTED = {
    "date-received": 1_700_000_000,
    "flags": 1 | 1 << 1 | 1 << 2 | 2 << 10 | 1 << 24,
    "remote-id": "77",
    "original-mailbox": "imap://kim/INBOX",
}


def emlx(mail: bytes, noted: Any = NOTED) -> bytes:
    return b"%-10d\n" % len(mail) + mail + plistlib.dumps(noted)


def samples() -> list[Item]:
    return [item_of(emlx(MAIL), PATH)]


def test_a_mail_has_its_states_and_when_it_came() -> None:
    (found,) = findings(run("mac_mail", item_of(emlx(MAIL), PATH)))
    assert found.title == "a mail that is read, deleted, answered, junk"
    assert found.data == {
        "user": "kim",
        "time": "2023-11-14T22:13:20Z",
        "states": ["read", "deleted", "answered", "junk"],
        "attachments": 2,
        "number": "77",
        "mailbox": "imap://kim/INBOX",
    }
    start, size = found.ranges[0]
    assert emlx(MAIL)[start : start + 5] == b"<?xml"
    assert start + size == len(emlx(MAIL))


def test_the_mail_itself_is_read_by_mail() -> None:
    plain = findings(run("mail", item_of(MAIL, "vol1/1.eml")))[0].data
    wrapped = findings(run("mail", item_of(emlx(MAIL), PATH)))[0].data
    assert {name: wrapped[name] for name in ("from", "to", "subject", "time", "attachments")} == {
        name: plain[name] for name in ("from", "to", "subject", "time", "attachments")
    }


def test_one_that_was_not_read_is_told() -> None:
    (found,) = findings(run("mac_mail", item_of(emlx(MAIL, {"flags": 0, "date-received": 1_700_000_000}), PATH)))
    assert found.title == "a mail that was not read"
    (found,) = findings(run("mac_mail", item_of(emlx(MAIL, {"date-received": 1_700_000_000}), PATH)))
    assert found.title == "a mail that Apple Mail kept"


def test_letters_of_maildir_are_told() -> None:
    (found,) = findings(run("mac_mail", item_of(MAIL, "vol1/home/kim/Maildir/cur/1700000000.M1P2.host:2,RST")))
    assert (found.title, found.data["user"]) == ("a mail that is answered, read, deleted", "kim")
    assert run("mac_mail", item_of(MAIL, "vol1/home/kim/Maildir/cur/1700000000.M1P2.host:2,x")) == []


def test_what_breaks_off_is_said() -> None:
    assert "breaks off" in problems(run("mac_mail", item_of(emlx(MAIL)[:100], PATH)))[0].message
    assert "cannot be read" in problems(run("mac_mail", item_of(b"%d\n" % len(MAIL) + MAIL + b"words", PATH)))[0].message
    assert "not well-formed" in problems(run("mac_mail", item_of(emlx(MAIL)[:-20], PATH)))[0].message
    assert run("mac_mail", item_of(b"words without a number", PATH)) == []


def test_damage_never_breaks_it() -> None:
    for data in mutants(emlx(b"From: a\n\nb\n"), 200):
        never_fails("mac_mail", item_of(data, PATH))


class TestMailOfRealSamples:
    pytestmark = needs_samples

    def test_real_mails_are_read_the_same_within_apple_mail(self) -> None:
        paths = sorted((ARTIFACTS / "eml").glob("*.eml"))[:20]
        for path in paths:
            plain = findings(run("mail", item_of(path.read_bytes(), "vol1/1.eml")))[0].data
            wrapped = findings(run("mail", item_of(emlx(path.read_bytes()), PATH)))[0].data
            assert {name: wrapped.get(name) for name in ("from", "to", "subject", "time")} == {
                name: plain.get(name) for name in ("from", "to", "subject", "time")
            }
        assert len(paths) == 20
