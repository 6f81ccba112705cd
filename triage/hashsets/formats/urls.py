"""Lists of addresses: one a line, plain or in the column ``url`` or ``domain`` of a CSV; addresses, domains, or digests of addresses."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from triage.hashsets.formats.fields import role_of
from triage.hashsets.records import BY_HEX_LENGTH, MAX_CATEGORY, HashRecord, Reject, digest_by_length, text_of
from triage.hashsets.urls import address_of, key_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.hashsets.records import Event
    from triage.hashsets.source import Source

_COLUMNS = ("url", "address", "domain", "host", "uri", "link", "website", "hash", "digest", "md5", "sha1", "sha256")
_DELIMITERS = ",;\t|"


def read(source: Source) -> Iterator[Event]:
    """Yield a record an address."""
    column, category, delimiter = 0, -1, ""
    for one in source.lines():
        if isinstance(one, Reject):
            yield one
            continue
        number, raw = one
        line = text_of(raw).strip().lstrip("\ufeff")
        if not line or line.startswith("#"):
            continue
        if number == 1 and (header := _header(line)):
            delimiter, column, category = header
            continue
        fields = next(csv.reader([line], delimiter=delimiter), []) if delimiter else [line]
        if column >= len(fields):
            yield Reject(number, "there is no address in this line")
            continue
        record = _record(fields[column].strip())
        if record is None:
            yield Reject(number, "no address, domain or digest of one")
            continue
        label = fields[category].strip()[:MAX_CATEGORY] if 0 <= category < len(fields) else ""
        yield record._replace(category=label)


def _header(line: str) -> tuple[str, int, int] | None:
    """Return delimiter, column of the address and of the category of a CSV by its first line."""
    for delimiter in _DELIMITERS:
        names = [name.strip().strip('"').lower() for name in line.split(delimiter)]
        at = next((names.index(name) for name in _COLUMNS if name in names), -1)
        if at >= 0 and (len(names) > 1 or line.strip().lower() in _COLUMNS):
            category = next((n for n, name in enumerate(names) if role_of(name) == "category"), -1)
            return delimiter, at, category
    return None


def _record(text: str) -> HashRecord | None:
    if len(text) in BY_HEX_LENGTH and (digest := digest_by_length(text)) is not None:
        kind, raw = digest
        return HashRecord(more=((f"url_{kind}", raw),))
    address = address_of(text.removeprefix("*.").removeprefix("||").removesuffix("^"))
    return HashRecord(more=(("url", key_of(address.whole)),)) if address is not None else None
