"""A laboratory's signature under a case: Ed25519 over the audit log's head, the case's digest and the report's.

The chain of the audit log shows every change but one: that somebody wrote the whole of it anew. A seal shows that too, to everybody who
has the laboratory's public key from elsewhere. ``seal.json`` holds what was signed as canonical JSON, and the signature (RFC 8032) in
hexadecimal. Needs the package *cryptography*, which is optional.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from triage.case import audit
from triage.case.store import Case
from triage.errors import CaseError, OutputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

    from triage.model import Json

NAME = "seal.json"
_FORMAT = "triage-seal-1"
_LARGEST = 1 << 20
_HINT = "openssl genpkey -algorithm ed25519 makes one"


def load_private_key(path: Path, ask: Callable[[], str]) -> Ed25519PrivateKey:
    """Return an Ed25519 key from a PEM file (PKCS #8); ``ask`` is called for its passphrase when it has one.

    Raises ``UsageError`` when there is no such key, with the reason.
    """
    serialization, ed25519 = _library()
    data = _read(path)
    try:
        try:
            key = serialization.load_pem_private_key(data, None)
        except TypeError:  # it is encrypted
            key = serialization.load_pem_private_key(data, ask().encode())
    except ValueError as error:
        raise UsageError(f"{path} is no private key in PEM form, or the passphrase is wrong", hint=_HINT) from error
    except Exception as error:  # an algorithm that the library does not know
        raise UsageError(f"{path} cannot be used as a private key: {type(error).__name__}", hint=_HINT) from error
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise UsageError(f"{path} is a private key of another kind than Ed25519", hint=_HINT)
    return cast("Ed25519PrivateKey", key)


def load_public_key(path: Path) -> Ed25519PublicKey:
    """Return an Ed25519 public key from a PEM file; raise ``UsageError`` when it holds none."""
    serialization, ed25519 = _library()
    try:
        key = serialization.load_pem_public_key(_read(path))
    except Exception as error:
        raise UsageError(f"{path} is no public key in PEM form", hint="openssl pkey -in KEY.pem -pubout makes one") from error
    if not isinstance(key, ed25519.Ed25519PublicKey):
        raise UsageError(f"{path} is a public key of another kind than Ed25519", hint=_HINT)
    return cast("Ed25519PublicKey", key)


def seal(folder: Path, key: Ed25519PrivateKey) -> Json:
    """Sign the case as it is and write ``seal.json``; return what was signed.

    Raises ``CaseError`` when the chain is broken or there is no case, ``OutputError`` when the file cannot be written.
    """
    signed = _state_of(folder)
    text = _canonical({**signed, "public_key": key.public_key().public_bytes_raw().hex()})
    content = _canonical({"signed": json.loads(text), "signature": key.sign(text).hex()}) + b"\n"
    new = folder / f"{NAME}.new"
    try:
        with suppress(FileNotFoundError):
            new.unlink()
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(folder / NAME)
    except OSError as error:
        raise OutputError(f"{folder / NAME} cannot be written: {error.strerror or error}", hint="make room there") from error
    return signed


def check(folder: Path, key: Ed25519PublicKey) -> Json:
    """Return what a case's seal says when it holds; raise ``CaseError`` with the reason when it does not."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - optional

    signed, signature = _read_seal(folder / NAME)
    if signed.get("public_key") != key.public_bytes_raw().hex():
        raise CaseError(f"{folder / NAME} was made with another key", hint="use the public key of the laboratory that sealed it")
    try:
        key.verify(signature, _canonical(signed))
    except InvalidSignature:
        raise CaseError(f"{folder / NAME} does not hold: it was changed after it was signed", hint="do not rely on the case") from None
    now = _state_of(folder)
    if signed["lines"] < now["lines"] and audit.digest_of_line(folder / audit.NAME, signed["lines"]) == signed["head"]:
        more = now["lines"] - signed["lines"]
        raise CaseError(
            f"{folder / NAME} is older than the audit log: it holds for its first {signed['lines']} lines, {more} later ones follow",
            hint="the case was worked on after it was sealed; seal it again if that was you",
        )
    sealed = {"lines": "the audit log", "head": "the audit log", "case_digest": "case.db", "report_sha256": "report.json"}
    for name, title in sealed.items():
        if signed.get(name) != now[name]:
            raise CaseError(f"{folder / NAME} does not hold: {title} is not what was sealed", hint="do not rely on the case")
    return signed


def _state_of(folder: Path) -> Json:
    """Return what a seal covers, as it is now."""
    log, report = folder / audit.NAME, folder / "report" / "report.json"
    with Case.open(folder) as case:
        digest = case.digest()
    try:
        lines, faults, head = audit.follow(log)
        report_digest = hashlib.sha256(report.read_bytes()).hexdigest() if report.is_file() else None
    except OSError as error:
        raise CaseError(f"{error.filename or log} cannot be read: {error.strerror or error}") from error
    broken = [f for f in faults if not f.endswith(audit.TORN)]
    if broken:
        raise CaseError(f"{log}: the chain is broken: {broken[0]}", hint="triage audit verify says where; do not rely on it")
    return {"format": _FORMAT, "lines": lines, "head": head, "case_digest": digest, "report_sha256": report_digest}


def _read_seal(path: Path) -> tuple[Json, bytes]:
    if not path.is_file():
        raise CaseError(f"{path.parent} has no seal", hint="triage audit seal makes one")
    try:
        value = json.loads(path.read_bytes()[:_LARGEST])
        signed, signature = value["signed"], bytes.fromhex(value["signature"])
        if signed["format"] != _FORMAT or type(signed["lines"]) is not int or type(signed["head"]) is not str:
            raise ValueError("not a seal")  # noqa: TRY301 - one answer for all that is none
    except OSError as error:
        raise CaseError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise CaseError(f"{path} is not a seal, or of a newer version", hint="do not rely on the case") from error
    return signed, signature


def _canonical(value: Json) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}", hint="give the key's PEM file") from error


def _library() -> tuple[Any, Any]:
    try:
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - optional
        from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415
    except ImportError as error:
        raise UsageError("seals need the package cryptography", hint="pip install 'triage[seal]'") from error
    return serialization, ed25519
