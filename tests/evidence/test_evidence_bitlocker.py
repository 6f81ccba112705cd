"""BitLocker volumes: every protector and method, what stays locked and by what it would open, damage."""

from __future__ import annotations

import random
import struct
import sys
from pathlib import Path

import pytest

from triage.evidence.bitlocker import BitlockerError, describe_bitlocker, open_bitlocker, recovery_start, startup_key

sys.path.append(str(Path(__file__).resolve().parents[1] / "filesystem"))
from bitlocker_maker import (
    CBC,
    CBC_DIFFUSED,
    HEADER,
    META,
    OTHER_RECOVERY,
    PASSWORD,
    RECOVERY,
    XTS,
    XTS_256,
    bitlocker,
    protector,
    startup_file,
)
from evidence_bytes import Bytes

PAYLOAD = random.Random(5).randbytes(3 * META)


@pytest.fixture(autouse=True)
def few_rounds(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A password costs half a second as it is; one test pays it."""
    if "metadata_and_where" not in request.node.name:
        monkeypatch.setattr("triage.evidence.bitlocker._ROUNDS", 1000)


METHODS = {"AES-CBC": CBC, "AES-CBC with diffuser": CBC_DIFFUSED, "AES-XTS": XTS, "AES-XTS 256": XTS_256}


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_every_method_is_read_at_any_place(method: int) -> None:
    found = open_bitlocker(Bytes(bitlocker(PAYLOAD, method=method)), ["wrong", PASSWORD])
    assert found is not None
    assert found.read_at(0, len(PAYLOAD)) == PAYLOAD
    for offset, length in ((1, 1), (511, 2), (HEADER - 3, 6), (HEADER + 700, 5000), (len(PAYLOAD) - 5, 5)):
        assert found.read_at(offset, length) == PAYLOAD[offset : offset + length]


def test_the_metadata_and_where_the_header_was_moved_are_zeros() -> None:
    found = open_bitlocker(Bytes(data := bitlocker(PAYLOAD)), [PASSWORD])
    assert found is not None
    assert found.size == len(data)
    for copy in (6, 4, 2):
        assert not any(found.read_at(len(data) - copy * META, META))
    assert not any(found.read_at(len(data) - 7 * META, HEADER))


OPENED_BY = {
    "password": ([("password", PASSWORD)], PASSWORD),
    "recovery key": ([("recovery", RECOVERY)], RECOVERY),
    "second recovery key": ([("recovery", RECOVERY), ("recovery", OTHER_RECOVERY)], OTHER_RECOVERY),
    "startup key": ([("tpm", ""), ("startup", "")], startup_key(startup_file())),
    "clear key": ([("clear", "")], ""),
}


@pytest.mark.parametrize(("protectors", "secret"), OPENED_BY.values(), ids=OPENED_BY)
def test_every_protector_opens_it(protectors: list[tuple[str, str]], secret: str) -> None:
    volume = Bytes(bitlocker(PAYLOAD, *(protector(*one) for one in protectors)))
    found = open_bitlocker(volume, [secret] if secret else [])
    assert found is not None
    assert found.read_at(10_000, 5000) == PAYLOAD[10_000:15_000]
    if secret:
        assert open_bitlocker(volume, ["not this one", OTHER_RECOVERY.replace("616319", "000011")]) is None


def test_to_go_and_vista() -> None:
    go = open_bitlocker(Bytes(bitlocker(PAYLOAD, to_go=True)), [PASSWORD])
    assert go is not None
    assert go.read_at(0, len(PAYLOAD)) == PAYLOAD
    vista = open_bitlocker(Bytes(bitlocker(PAYLOAD, method=CBC_DIFFUSED, vista=True)), [PASSWORD])
    assert vista is not None
    assert vista.read_at(HEADER, 9000) == PAYLOAD[HEADER : HEADER + 9000]


def test_a_locked_volume_says_what_opens_it() -> None:
    said = describe_bitlocker(Bytes(bitlocker(PAYLOAD, protector("tpm"), protector("recovery", RECOVERY, bytes(range(16))))))
    assert said == (
        "AES-XTS 128-bit, opened by TPM 11111111-1111-1111-1111-111111111111, recovery key 03020100-0504-0706-0809-0A0B0C0D0E0F"
    )


@pytest.mark.parametrize("text", ["042648" + RECOVERY[6:], RECOVERY[:-1], "720896" + RECOVERY[6:], RECOVERY.replace("-", " ")])
def test_a_recovery_key_with_a_slip_is_none(text: str) -> None:
    assert recovery_start(RECOVERY) is not None
    assert recovery_start(f" {RECOVERY}\n") == recovery_start(RECOVERY)
    assert recovery_start(text) is None


def test_encryption_that_was_under_way_is_refused() -> None:
    data = bytearray(bitlocker(PAYLOAD))
    data[160:176] = bytes.fromhex("3b4da89280dd0e4d9e4eb1e3284eaed8")
    with pytest.raises(BitlockerError, match="under way"):
        open_bitlocker(Bytes(bytes(data)), [PASSWORD])
    assert describe_bitlocker(Bytes(bytes(data))) == ""


def test_another_copy_of_the_metadata_will_do() -> None:
    data = bytearray(bitlocker(PAYLOAD))
    for copy in (6, 4):
        data[len(data) - copy * META : len(data) - copy * META + 100] = bytes(100)
    assert open_bitlocker(Bytes(bytes(data)), [PASSWORD]) is not None
    data[len(data) - 2 * META : len(data) - 2 * META + 100] = bytes(100)
    with pytest.raises(BitlockerError, match="no copy"):
        open_bitlocker(Bytes(bytes(data)), [PASSWORD])


def test_what_is_cut_off_is_not_made_up() -> None:
    data = bitlocker(PAYLOAD)
    cut = Bytes(data)
    found = open_bitlocker(cut, [PASSWORD])
    assert found is not None
    cut.data = data[:100_000]
    assert found.read_at(99_000, 5000) == PAYLOAD[99_000 : 100_000 // 512 * 512].ljust(5000, b"\0")


def test_no_startup_key_is_said_so() -> None:
    for data in (b"", bytes(100), b"x" * 300, startup_file()[:60]):
        with pytest.raises(ValueError, match="no BitLocker startup key"):
            startup_key(data)


def test_damage_never_breaks_it() -> None:
    rng = random.Random(11)
    data = bitlocker(PAYLOAD[:META], protector("clear"), protector("startup"))
    opened = 0
    for _ in range(300):
        mutant = bytearray(data)
        begin = rng.choice((0, *(len(data) - n * META for n in (6, 4, 2))))
        for _ in range(rng.choice((1, 3, 9))):
            at = begin + rng.randrange(512)
            mutant[at : at + 4] = rng.choice((rng.randbytes(4), b"\xff" * 4, bytes(4), struct.pack("<I", rng.randrange(1 << 32))))
        try:
            found = open_bitlocker(Bytes(bytes(mutant)), [startup_key(startup_file())])
            describe_bitlocker(Bytes(bytes(mutant)))
        except BitlockerError:
            continue
        if found is not None:
            opened += 1
            found.read_at(0, 20_000)
            found.read_at(found.size - 70_000, 70_000)
    assert opened > 50
