"""Where a phone was and which programs it ran: iOS' routines, knowledge, interactions and use of the network, Google Maps, Android."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from triage.artifacts import times
from triage.artifacts.stores.said import place, words
from triage.artifacts.stores.tables import Store, Tables, Trace, Values
from triage.escape import show

if TYPE_CHECKING:
    from collections.abc import Iterator

# As ALEAPP has them.
_CHARGING = {0: "not charging", 1: "charging fast", 2: "charging slowly", 3: "charging wirelessly"}


def _ran(row: Values, when: int | None, name: str, heading: str = "", **more: Any) -> Trace:
    return row.trace("program-run", heading or f"{show(name[:150])} ran", when, name=name, **more)


def _installed(row: Values, when: int | None, name: str, **more: Any) -> Trace:
    return row.trace("program-installed", f"installed: {show(name[:150])}", when, name=name, **more)


def _placed(*found: Trace | None) -> Iterator[Trace]:
    yield from (one for one in found if one is not None)


def _routined_cache(tables: Tables) -> Iterator[Trace]:
    """Cache.sqlite of routined: where the phone was, many times an hour, for about a week."""
    for row in tables.rows("zrtcllocationmo"):
        when = times.cocoa(row["ztimestamp"])
        accuracy, speed = row["zhorizontalaccuracy"], row["zspeed"]
        yield from _placed(
            place(row, when, row["zlatitude"], row["zlongitude"], "the phone was at", accuracy=_real(accuracy), speed=_real(speed))
        )
    for row in tables.rows("zrthintmo"):
        yield from _placed(place(row, times.cocoa(row["zdate"]), row["zlatitude"], row["zlongitude"], "a hint of a place"))
    for row in tables.rows("zrtvisitmo"):
        entry, leave = times.cocoa(row["zentrydate"]), times.cocoa(row["zexitdate"])
        what = "a visit to"
        yield from _placed(place(row, entry, row["zlocationlatitude"], row["zlocationlongitude"], what, exit_time=leave))


def _real(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and abs(value) < 1e9 else None


def _routined_local(tables: Tables) -> Iterator[Trace]:
    """Local.sqlite and Cloud-V2.sqlite of routined: places that were learned, and when they were visited."""
    learned = {row["z_pk"]: row for row in tables.rows("zrtlearnedlocationofinterestmo")}
    for row in learned.values():
        title = "a place that was learned:"
        yield from _placed(place(row, times.cocoa(row["zcreationdate"]), row["zlocationlatitude"], row["zlocationlongitude"], title))
    for row in tables.rows("zrtlearnedlocationofinterestvisitmo"):
        spot = learned.get(row["zlocationofinterest"], row)
        yield from _placed(
            place(
                row,
                times.cocoa(row["zentrydate"]),
                row["zlocationlatitude"] if row["zlocationlatitude"] is not None else spot["zlocationlatitude"],
                row["zlocationlongitude"] if row["zlocationlongitude"] is not None else spot["zlocationlongitude"],
                "a visit to",
                exit_time=times.cocoa(row["zexitdate"]),
                accuracy=_real(row["zlocationhorizontaluncertainty"]),
            )
        )


def _vehicle(tables: Tables) -> Iterator[Trace]:
    for row in tables.rows("zrtvehicleeventmo"):
        latitude, longitude = row["zloclatitude"], row["zloclongitude"]
        yield from _placed(place(row, times.cocoa(row["zdate"]), latitude, longitude, "the car was parked at"))


def _consolidated(tables: Tables) -> Iterator[Trace]:
    """consolidated.db and cache_encryptedA/B.db of locationd: where radio masts and networks that were near are."""
    for table in ("wifilocation", "celllocation", "ltecelllocation", "wifilocationharvest", "celllocationharvest"):
        kind = "a wireless network" if table.startswith("wifi") else "a radio mast"
        for row in tables.rows(table):
            when = times.cocoa(row["timestamp"])
            yield from _placed(place(row, when, row["latitude"], row["longitude"], f"{kind} was near:", mac=row.text("mac")))


def _maps_destinations(tables: Tables) -> Iterator[Trace]:
    """Google Maps of Android; degrees are whole numbers, millionths of them."""
    for row in tables.rows("destination_history"):
        title, address = row.text("dest_title"), row.text("dest_address")
        latitude, longitude = _millionths(row["dest_lat"]), _millionths(row["dest_lng"])
        yield row.trace(
            "location",
            f"navigated to {show((title or address)[:150]) or f'{latitude}, {longitude}'}",
            times.unix_ms(row.number("time")),
            name=title,
            address=address,
            latitude=latitude,
            longitude=longitude,
            from_latitude=_millionths(row["source_lat"]),
            from_longitude=_millionths(row["source_lng"]),
        )


def _millionths(value: object) -> float | None:
    return value / 1e6 if isinstance(value, int) and value and abs(value) <= 180_000_000 else None


def _maps_places(tables: Tables) -> Iterator[Trace]:
    for row in tables.rows("sync_item"):
        when = times.any_unix(row.number("timestamp"))
        what = "a place in Google Maps:"
        latitude, longitude = _millionths(row["latitude"]), _millionths(row["longitude"])
        yield from _placed(place(row, when, latitude, longitude, what, key=row.text("key_string")))


def _knowledge(tables: Tables) -> Iterator[Trace]:
    """knowledgeC.db: which program was in front, when it was installed, and what was on the screen."""
    for row in tables.rows("zobject"):
        stream, name = row.text("zstreamname"), row.text("zvaluestring")
        start, end = times.cocoa(row["zstartdate"]), times.cocoa(row["zenddate"])
        seconds = (end - start) // 10**9 if start is not None and end is not None else None
        if stream in ("/app/inFocus", "/app/usage", "/app/activity", "/app/webUsage", "/media/nowPlaying", "/app/mediaUsage") and name:
            yield _ran(row, start, name, f"{show(name[:150])} was in use", seconds=seconds, end_time=end, stream=stream)
        elif stream == "/app/install" and name:
            yield _installed(row, start, name)
        elif stream in ("/device/isLocked", "/display/isBacklit", "/device/isPluggedIn"):
            on = bool(row.number("zvalueinteger"))
            yield row.trace("device-state", f"{stream.rpartition('/')[2]}: {'yes' if on else 'no'}", start, on=on, end_time=end)


def _interactions(tables: Tables) -> Iterator[Trace]:
    people = {row["z_pk"]: row for row in tables.rows("zcontacts")}
    for row in tables.rows("zinteractions"):
        sender = people.get(row["zsender"])
        who = sender.text("zdisplayname", "zidentifier") if sender is not None else ""
        program = row.text("zbundleid")
        yield row.trace(
            "interaction",
            f"{show(program[:100])}: with {show(who[:100]) or 'somebody'}",
            times.cocoa(row["zstartdate"]),
            name=program,
            person=who,
            identifier=sender.text("zidentifier") if sender is not None else "",
            zdirection=row.number("zdirection"),
            end_time=times.cocoa(row["zenddate"]),
            url=row.text("zcontenturl")[:8192],
        )


def _data_usage(tables: Tables) -> Iterator[Trace]:
    """DataUsage.sqlite and netusage.sqlite: programs that used the network, when first and last, and how much."""
    uses: dict[Any, list[Values]] = {}
    for row in tables.rows("zliveusage"):
        uses.setdefault(row["zhasprocess"], []).append(row)
    for row in tables.rows("zprocess"):
        held = uses.get(row["z_pk"], [])
        name = row.text("zbundlename", "zprocname")
        first, last = times.cocoa(row["zfirsttimestamp"]), times.cocoa(row["ztimestamp"])
        yield _ran(
            row,
            last,
            name,
            f"{show(name[:150])} used the network",
            process=row.text("zprocname"),
            first_time=first,
            **_sums(held),
        )
    for row in tables.rows("znetworkattachment"):
        name = row.text("zidentifier")
        yield row.trace(
            "network",
            f"was in the network {show(name[:150])}",
            times.cocoa(row["ztimestamp"]),
            name=name,
            first_time=times.cocoa(row["zfirsttimestamp"]),
            hotspot=bool(row.number("zishotspot")) or None,
        )


def _sums(rows: list[Values]) -> dict[str, Any]:
    def total(*columns: str) -> int | None:
        return sum(row.number(column) or 0 for row in rows for column in columns) or None

    used = [time for time in (times.cocoa(row["ztimestamp"]) for row in rows) if time is not None]
    return {
        "uses": len(rows) or None,
        "used_time": max(used, default=None),
        "received": total("zwifiin", "zwwanin", "zwiredin"),
        "sent": total("zwifiout", "zwwanout", "zwiredout"),
    }


def _turbo(tables: Tables) -> Iterator[Trace]:
    for row in tables.rows("battery_event"):
        charge = _CHARGING.get(row.number("charge_type") or 0, "")
        level = row.number("battery_level")
        yield row.trace(
            "device-state",
            f"battery at {level} %, {charge or 'unknown charge'}",
            times.unix_ms(row.number("timestamp_millis")),
            battery=level,
            charge=charge,
            zone=row.text("timezone"),
        )


def _zeitgeist(tables: Tables) -> Iterator[Trace]:
    """Zeitgeist of GNOME and Unity: what was opened, with which program."""
    texts = {
        table: {row["id"]: row.text("value") for row in tables.rows(table)}
        for table in ("uri", "text", "actor", "interpretation", "mimetype")
    }
    for row in tables.rows("event"):
        target = texts["uri"].get(row["subj_id"], "")
        actor = texts["actor"].get(row["actor"], "")
        what = texts["interpretation"].get(row["interpretation"], "").rpartition("#")[2]
        program = target.removeprefix("application://")
        data: dict[str, Any] = {
            "event": what,
            "program": actor.removeprefix("application://"),
            "title": texts["text"].get(row["subj_text"], ""),
            "mime": texts["mimetype"].get(row["subj_mimetype"], ""),
        }
        when = times.unix_ms(row.number("timestamp"))
        if target.startswith("application://"):
            yield _ran(row, when, program, f"{show(program[:150])}: {show(what[:50])}", **data)
        else:
            yield row.trace("recent-file", f"{show(what[:50])}: {show(target[:200])}", when, url=target[:8192], **data)


def _frosting(tables: Tables) -> Iterator[Trace]:
    for row in tables.rows("frosting"):
        yield _installed(row, times.unix_ms(row.number("last_updated")), row.text("pk"), path=row.text("apk_path"))


def _play_store(tables: Tables) -> Iterator[Trace]:
    for row in tables.rows("appstate"):
        yield _installed(
            row,
            times.unix_ms(row.number("first_download_ms")),
            row.text("package_name"),
            title=row.text("title"),
            account=row.text("account"),
            referrer=row.text("install_referrer"),
            updated_time=times.unix_ms(row.number("last_update_timestamp_ms")),
        )


def _play_library(tables: Tables) -> Iterator[Trace]:
    for row in tables.rows("ownership"):
        name = row.text("doc_id")
        yield row.trace(
            "program-acquired",
            f"acquired in the Play Store: {show(name[:150])}",
            times.unix_ms(row.number("purchase_time")),
            name=name,
            account=row.text("account"),
            library=words(row["library_id"] if isinstance(row["library_id"], str) else None),
        )


STORES = (
    Store("routined-cache", "", {"zrtcllocationmo": ("zlatitude", "zlongitude", "ztimestamp")}, _routined_cache),
    Store("routined", "", {"zrtlearnedlocationofinterestmo": ("zlocationlatitude", "zlocationlongitude")}, _routined_local),
    Store("routined-car", "", {"zrtvehicleeventmo": ("zdate", "zloclatitude", "zloclongitude")}, _vehicle),
    Store("ios-wifi-places", "", {"wifilocation": ("mac", "timestamp", "latitude", "longitude")}, _consolidated),
    Store("google-maps-destinations", "Google Maps", {"destination_history": ("time", "dest_lat", "dest_lng")}, _maps_destinations),
    Store("google-maps-places", "Google Maps", {"sync_item": ("key_string", "latitude", "longitude", "timestamp")}, _maps_places),
    Store("knowledge", "", {"zobject": ("zstreamname", "zvaluestring", "zstartdate")}, _knowledge),
    Store("interactions", "", {"zinteractions": ("zbundleid", "zstartdate", "zsender")}, _interactions),
    Store("ios-network-use", "", {"zliveusage": ("zhasprocess", "zwifiin"), "zprocess": ("zprocname", "zfirsttimestamp")}, _data_usage),
    Store("android-battery", "", {"battery_event": ("timestamp_millis", "battery_level")}, _turbo),
    Store("zeitgeist", "Zeitgeist", {"event": ("timestamp", "subj_id", "interpretation", "actor"), "uri": ("id", "value")}, _zeitgeist),
    Store("android-packages", "Play Store", {"frosting": ("pk", "apk_path", "last_updated")}, _frosting),
    Store("play-store", "Play Store", {"appstate": ("package_name", "first_download_ms")}, _play_store),
    Store("play-library", "Play Store", {"ownership": ("account", "doc_id", "purchase_time")}, _play_library),
)
