"""A seal holds as long as nothing under it is touched, and says what was."""

from __future__ import annotations

import json
import shutil
import sqlite3
import stat
import sys
from typing import TYPE_CHECKING

import pytest
from engine_support import run_case

from triage.case import seal as seals
from triage.case.audit import AuditLog
from triage.cli import run as triage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

crypto = pytest.importorskip("cryptography")

from cryptography.hazmat.primitives import serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa  # noqa: E402

PEM, PKCS8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8


def write_keys(folder: Path, name: str, key: ed25519.Ed25519PrivateKey | None = None, passphrase: bytes = b"") -> tuple[Path, Path]:
    key = key or ed25519.Ed25519PrivateKey.generate()
    private, public = folder / f"{name}.pem", folder / f"{name}-public.pem"
    hidden = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    private.write_bytes(key.private_bytes(PEM, PKCS8, hidden))
    public.write_bytes(key.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
    return private, public


@pytest.fixture(scope="module")
def made(small_image: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sealed case in a folder with the laboratory's keys and another's."""
    folder = tmp_path_factory.mktemp("seal")
    write_keys(folder, "lab")
    write_keys(folder, "other")
    run_case(small_image, folder / "case", report=True)
    assert triage(["audit", "seal", str(folder / "case"), "--key", str(folder / "lab.pem")]) == 0
    return folder


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "seal")
    return tmp_path / "seal"


def verify(place: Path, key: str = "lab") -> int:
    return triage(["audit", "verify", str(place / "case"), "--public-key", str(place / f"{key}-public.pem")])


def test_a_seal_that_nobody_touched_holds(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(place) == 0
    assert "the seal holds: audit log, results and report.json are what was sealed" in capsys.readouterr().out
    value = json.loads((place / "case" / "seal.json").read_bytes())
    assert set(value) == {"signed", "signature"}
    assert set(value["signed"]) == {"format", "lines", "head", "case_digest", "report_sha256", "public_key"}
    # Whoever has the library alone can check it too.
    public = ed25519.Ed25519PublicKey.from_public_bytes(bytes.fromhex(value["signed"]["public_key"]))
    public.verify(bytes.fromhex(value["signature"]), json.dumps(value["signed"], sort_keys=True, separators=(",", ":")).encode())


@pytest.mark.skipif(sys.platform == "win32", reason="no modes there")
def test_nobody_else_may_read_the_seal_and_a_link_is_not_followed(place: Path) -> None:
    assert stat.S_IMODE((place / "case" / "seal.json").stat().st_mode) == 0o600
    (place / "outside").write_text("mine")
    for name in ("seal.json", "seal.json.new"):
        (place / "case" / name).unlink(missing_ok=True)
        (place / "case" / name).symlink_to(place / "outside")
    assert triage(["audit", "seal", str(place / "case"), "--key", str(place / "lab.pem")]) == 0
    assert (place / "outside").read_text() == "mine"
    assert not (place / "case" / "seal.json").is_symlink()
    assert verify(place) == 0


def rewrite_log(case: Path) -> None:
    """Write the whole log anew, as a chain that follows."""
    log = case / "audit.jsonl"
    lines = [json.loads(line) for line in log.read_bytes().splitlines()]
    log.unlink()
    new = AuditLog(log)
    for line in lines:
        new.record(line["event"], {**line["data"], "rewritten": True})
    new.close()


def cut_log(case: Path) -> None:
    lines = (case / "audit.jsonl").read_bytes().splitlines(keepends=True)
    (case / "audit.jsonl").write_bytes(b"".join(lines[:-1]))


def change(sql: str) -> Callable[[Path], None]:
    def do(case: Path) -> None:
        connection = sqlite3.connect(case / "case.db")
        assert connection.execute(sql).rowcount
        connection.commit()
        connection.close()

    return do


def edit(path: str, old: bytes, new: bytes) -> Callable[[Path], None]:
    def do(case: Path) -> None:
        data = (case / path).read_bytes()
        assert old in data
        (case / path).write_bytes(data.replace(old, new, 1))

    return do


def flip_signature(case: Path) -> None:
    value = json.loads((case / "seal.json").read_bytes())
    value["signature"] = f"{value['signature'][:-1]}{int(value['signature'][-1], 16) ^ 1:x}"
    (case / "seal.json").write_text(json.dumps(value))


FORGERIES: dict[str, tuple[Callable[[Path], object], str]] = {
    "the log written anew": (rewrite_log, "the audit log is not what was sealed"),
    "the log's last line gone": (cut_log, "the audit log is not what was sealed"),
    "a row changed": (change("UPDATE entry SET name = 'x' WHERE n = 3"), "case.db is not what was sealed"),
    "a finding gone": (change("DELETE FROM content WHERE key = (SELECT min(key) FROM content)"), "case.db is not what was sealed"),
    "the report changed": (edit("report/report.json", b'"names":28', b'"names":29'), "report.json is not what was sealed"),
    "the report gone": (lambda c: (c / "report" / "report.json").unlink(), "report.json is not what was sealed"),
    "the seal's digest changed": (edit("seal.json", b'"case_digest":"', b'"case_digest":"0'), "changed after it was signed"),
    "the seal's signature changed": (flip_signature, "changed after it was signed"),
    "no seal": (lambda c: (c / "seal.json").unlink(), "has no seal"),
    "no JSON": (lambda c: (c / "seal.json").write_text("{"), "is not a seal"),
    "deep JSON": (lambda c: (c / "seal.json").write_text("[" * 100_000), "is not a seal"),
    "another format": (edit("seal.json", b"triage-seal-1", b"triage-seal-9"), "is not a seal"),
}


@pytest.mark.parametrize("what", FORGERIES)
def test_whatever_is_touched_shows(what: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    touch, said = FORGERIES[what]
    touch(place / "case")
    capsys.readouterr()
    assert verify(place) == 4
    [line] = capsys.readouterr().err.splitlines()
    assert said in line


def test_a_case_that_was_worked_on_after_its_seal_says_so(place: Path, small_image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_case(small_image, place / "case")
    capsys.readouterr()
    assert verify(place) == 4
    assert "older than the audit log: it holds for its first" in capsys.readouterr().err
    assert triage(["audit", "seal", str(place / "case"), "--key", str(place / "lab.pem")]) == 0
    assert verify(place) == 0


def test_another_laboratorys_key_is_told(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(place, "other") == 4
    assert "made with another key" in capsys.readouterr().err


def test_a_broken_chain_is_not_sealed(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit("audit.jsonl", b'"event":"start"', b'"event":"START"')(place / "case")
    assert triage(["audit", "seal", str(place / "case"), "--key", str(place / "lab.pem")]) == 4
    assert "the chain is broken" in capsys.readouterr().err


KEYS: dict[str, Callable[[], bytes]] = {
    "rsa": lambda: rsa.generate_private_key(65537, 2048).private_bytes(PEM, PKCS8, serialization.NoEncryption()),
    "ec": lambda: ec.generate_private_key(ec.SECP256R1()).private_bytes(PEM, PKCS8, serialization.NoEncryption()),
    "public": lambda: ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(
        PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
    "nothing": lambda: b"",
    "noise": lambda: bytes(range(256)),
    "cut": lambda: ed25519.Ed25519PrivateKey.generate().private_bytes(PEM, PKCS8, serialization.NoEncryption())[:60],
}


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("words", [["audit", "seal", "{case}", "--key", "{key}"], ["run", "{image}", "--case", "{new}", "--seal", "{key}"],
                                   ["audit", "verify", "{case}", "--public-key", "{key}"]], ids=["seal", "run", "verify"])
def test_a_key_that_cannot_be_used_is_refused_in_one_line(
    kind: str, words: list[str], place: Path, small_image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if kind == "public" and "verify" in words:
        pytest.skip("that one can be used")
    (place / "key").write_bytes(KEYS[kind]())
    names = {"case": place / "case", "key": place / "key", "image": small_image, "new": place / "new"}
    capsys.readouterr()
    assert triage([word.format(**names) for word in words]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert str(place / "key") in line
    assert not (place / "new").exists()


def test_a_passphrase_is_asked_for_and_never_kept(
    place: Path, small_image: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    private, public = write_keys(place, "locked", passphrase=b"correct horse")
    words = ["run", str(small_image), "--case", str(place / "new"), "--jobs", "1", "--seal", str(private)]
    assert triage(words) == 2  # no terminal to ask on
    assert "passphrase" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    asked: list[bool] = []

    def prompt(text: str, *, hide_input: bool, err: bool) -> str:
        asked.append(hide_input and err)
        return "correct horse" if len(asked) > 1 else "wrong"

    monkeypatch.setattr("click.prompt", prompt)
    assert triage(words) == 2
    assert "passphrase is wrong" in capsys.readouterr().err
    assert triage(words) == 0
    assert asked == [True, True]
    assert triage(["audit", "verify", str(place / "new"), "--public-key", str(public)]) == 0
    shown = capsys.readouterr()
    assert "correct horse" not in shown.out + shown.err
    assert not [p for p in (place / "new").rglob("*") if p.is_file() and b"correct horse" in p.read_bytes()]


def test_without_the_library_it_is_said_how_to_get_it(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives", None)
    assert triage(["audit", "seal", str(place / "case"), "--key", str(place / "lab.pem")]) == 2
    assert "triage[seal]" in capsys.readouterr().err
    assert triage(["audit", "verify", str(place / "case")]) == 0  # the chain needs no library


def test_a_case_without_a_report_can_be_sealed(place: Path, small_image: Path) -> None:
    words = ["run", str(small_image), "--case", str(place / "new"), "--jobs", "1", "-q", "--no-report", "--seal", str(place / "lab.pem")]
    assert triage(words) == 0
    assert json.loads((place / "new" / "seal.json").read_bytes())["signed"]["report_sha256"] is None
    assert triage(["audit", "verify", str(place / "new"), "--public-key", str(place / "lab-public.pem")]) == 0
    assert seals.NAME == "seal.json"
