"""E-mails and mailboxes, held against Python's own reader: heads, texts and the bytes of every attachment."""

from __future__ import annotations

import email
import email.policy
import hashlib

import pytest
from real_samples import ARTIFACTS, bytes_of, children, findings, item_of, mutants, needs_samples, never_fails, run

MAIL = b"""From: "Kim" <kim@example.org>\r
To: sam@example.org\r
Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= from\r
 here\r
Date: Thu, 18 Jan 2024 05:20:00 +0100\r
Message-ID: <1@example.org>\r
Content-Type: multipart/mixed; boundary="=_x"\r
\r
preamble\r
--=_x\r
Content-Type: text/plain; charset=iso-8859-1\r
Content-Transfer-Encoding: quoted-printable\r
\r
caf=E9 at noon\r
--=_x\r
Content-Type: image/png; name="p.png"\r
Content-Transfer-Encoding: base64\r
Content-Disposition: attachment;\r
 filename*0*=utf-8''gr%C3%BC; filename*1=n.png\r
\r
iVBORw0KGgoAAAANSUhEUgAA\r
AAE=\r
--=_x--\r
"""


def test_a_mail_says_who_when_what_and_its_attachment_is_a_file() -> None:
    one = item_of(MAIL, "vol1/home/kim/Maildir/cur/1.eml")
    said = run("mail", one)
    (found,) = findings(said, "mail")
    assert (found.data["from"], found.data["to"]) == ('"Kim" <kim@example.org>', "sam@example.org")
    assert found.data["subject"] == "Grüße from here"
    assert (found.data["time"], found.data["text"], found.data["user"]) == ("2024-01-18T04:20:00Z", "café at noon", "kim")
    (child,) = children(said)
    assert child.name == "00001-grün.png"
    assert bytes_of(one, child) == b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1"
    assert child.findings[0].data["mime"] == "image/png"


def test_an_attachment_that_breaks_off_gives_what_there_is() -> None:
    one = item_of(MAIL[: MAIL.index(b"AAE=")], "vol1/1.eml")
    (child,) = children(run("mail", one))
    assert bytes_of(one, child).startswith(b"\x89PNG\r\n\x1a\n")


def test_a_mailbox_gives_each_mail() -> None:
    mails = [MAIL.replace(b"<1@", b"<%d@" % n) + b"\nFrom the text it goes on\n\n" for n in range(5)]
    box = b"".join(b"From x Thu Jan 18 05:20:00 2024\n" + mail for mail in mails)
    said = findings(run("mail", item_of(box, "vol1/box.mbox")), "mail")
    assert [f.data["message_id"] for f in said] == [f"<{n}@example.org>" for n in range(5)]


def test_damage_never_breaks_it() -> None:
    for data in mutants(MAIL, 300):
        one = item_of(data, "vol1/1.eml")
        if one.type is not None and one.type.name in ("eml", "mbox"):
            never_fails("mail", one)


def attachments(message) -> list[str]:
    found = []
    for part in message.walk():
        kind = part.get_content_type()
        if part.is_multipart() or kind == "message/rfc822":
            continue
        if part.get_filename() or part.get_content_disposition() == "attachment" or not kind.startswith("text/"):
            found.append(hashlib.md5(part.get_payload(decode=True) or b"").hexdigest())
    return found


class TestRealSamples:
    pytestmark = needs_samples
    NAMES = sorted(p.name for p in (ARTIFACTS / "eml").iterdir()) if ARTIFACTS.is_dir() else []

    @pytest.mark.parametrize("name", NAMES)
    def test_real_mails_are_read_as_python_reads_them(self, name: str) -> None:
        data = (ARTIFACTS / "eml" / name).read_bytes()
        one = item_of(data, f"vol1/{name}")
        said = run("mail", one)
        oracle = email.message_from_bytes(data, policy=email.policy.default)
        (found,) = findings(said, "mail")
        wanted = " ".join(str(oracle["subject"]).split())
        assert [a for a, b in zip(found.data["subject"], wanted, strict=True) if b not in (a, "\ufffd")] == []
        assert found.data["message_id"] == oracle["message-id"]
        assert [hashlib.md5(bytes_of(one, child)).hexdigest() for child in children(said)] == attachments(oracle)

    def test_a_real_mailbox_is_read_mail_by_mail(self) -> None:
        data = (ARTIFACTS / "iped" / "test_mbox.mbox").read_bytes()
        one = item_of(data, "vol1/x.mbox")
        said = run("mail", one)
        pieces = [b"From " + p for p in data.split(b"\nFrom ")]
        pieces[0] = pieces[0].removeprefix(b"From ")
        oracles = [email.message_from_bytes(p.partition(b"\n")[2], policy=email.policy.default) for p in pieces]
        assert [f.data["message_id"] for f in findings(said, "mail")] == [str(m["message-id"]) for m in oracles]
        wanted = [digest for m in oracles for digest in attachments(m)]
        assert sorted(hashlib.md5(bytes_of(one, child)).hexdigest() for child in children(said)) == sorted(wanted)
