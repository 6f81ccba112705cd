"""Targets of the stores of messengers, phones and clouds, and of the formats inside of their columns."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

from targets import Target

sys.path.append(str(Path(__file__).resolve().parents[1] / "plugins"))
sys.path.append(str(Path(__file__).resolve().parents[1] / "artifacts"))
import plistlib

from real_samples import PLUGINS, item_of
from store_makers import (
    NOW,
    clouds,
    database,
    nested,
    places,
    postbox_key,
    postbox_message,
    postbox_text,
    snapchat,
    telegram,
    telegram_ios,
    tl_message,
)

from triage.artifacts import telegram as format_of_telegram
from triage.artifacts.keyedarchive import KeyedArchive
from triage.artifacts.protobuf import fields, text_at, values_at
from triage.artifacts.sqlite import open_database
from triage.artifacts.stores import clouds as cloud_stores
from triage.artifacts.stores import messengers, notes, photos, said, social
from triage.artifacts.stores import places as place_stores
from triage.artifacts.stores.tables import Tables
from triage.artifacts.structure import StructureError
from triage.plugin import Problem, run_plugin

NEW = (*messengers.STORES, *social.STORES, *photos.STORES, *place_stores.STORES, *cloud_stores.STORES, *notes.STORES)


def _archive() -> bytes:
    objects = ["$null", {"a": plistlib.UID(2), "NS.keys": [plistlib.UID(3)], "NS.objects": [plistlib.UID(4)]}, {"NS.time": 1.0}, "b", "x"]
    return plistlib.dumps({"$top": {"root": plistlib.UID(1)}, "$objects": objects}, fmt=plistlib.FMT_BINARY)


def _stores(data: bytes) -> None:
    with contextlib.suppress(StructureError), open_database(data) as opened:
        tables = Tables(opened)
        for store in NEW:
            if all(tables.has(table, columns) for table, columns in store.needs.items()):
                for trace in store.read(tables):
                    assert trace.title


def _values(data: bytes) -> None:
    with contextlib.suppress(StructureError):
        list(fields(data))
    list(values_at(data, 2, 3))
    text_at(data, 4, 4, 2, 1)
    format_of_telegram.tl_text(data, int.from_bytes(data[28:32], "little"))
    format_of_telegram.tl_author(data)
    format_of_telegram.postbox_key(data[:20])
    format_of_telegram.postbox_message(data)
    format_of_telegram.postbox_name(data)
    with contextlib.suppress(StructureError):
        archive = KeyedArchive(data)
        archive.time("a")
        archive.text("b", "b")
        list(archive.items(archive.root))
        list(archive.pairs(archive.root))
    said.iso_time(data.decode("latin-1"))
    said.inside(said.parsed(data), "a", 0)
    # The same bytes as what each column holds.
    with contextlib.suppress(StructureError):
        whole = database(
            t2=[{"key": 7, "value": data}], t7=[{"key": postbox_key(7, NOW, 1), "value": data}],
            messages=[{"message_id": "m", "thread_id": "t", "archive": data, "class_name": "c"}],
            threads=[{"thread_id": "t", "viewer_id": "7", "metadata": data}],
            zicnotedata=[{"znote": 1, "zdata": data}], ziccloudsyncingobject=[{"z_pk": 1}],
            zsmessage=[{"zcontent": data, "zthreadid": "t", "zts_issentbyme": 1}], zmessageproperties=[{"ztsid": 1, "zproperties": data}],
        )  # fmt: skip
        _stores(whole)


def _locked(data: bytes) -> None:
    info = PLUGINS["locked_databases"]
    for result in run_plugin(info.load(), info.key(), item_of(data, "vol1/Signal/sql/db.sqlite")):
        assert not (isinstance(result, Problem) and "the plugin failed" in result.message), result.detail


TARGETS = [
    Target("phone-stores", _stores, lambda: [telegram(), telegram_ios(), snapchat(), places(), clouds()],
           tuple(f"triage.artifacts.stores.{name}" for name in ("messengers", "social", "photos", "places", "clouds", "notes", "said"))),
    Target("phone-values", _values,
           lambda: [nested("text", 2, 3, 2), tl_message("hello", NOW), postbox_message("hello", 7, incoming=True), _archive(),
                    postbox_text("fn", "Ann"), b'{"a": [{"text": "b"}]}', b"2023-11-14T22:13:20.123Z"],
           ("triage.artifacts.protobuf", "triage.artifacts.telegram", "triage.artifacts.keyedarchive")),
    Target("locked-databases", _locked, lambda: [bytes(range(256)) * 16, b"SQLite format 3\0" + bytes(range(255, -1, -1)) * 8],
           ("triage.plugins.locked_databases",)),
]  # fmt: skip
