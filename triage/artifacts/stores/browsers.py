"""What browsers note: Chromium and its kin, Firefox, Safari, Android's old browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.artifacts import times, web
from triage.artifacts.stores.tables import Store, Tables, Trace
from triage.escape import show

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.stores.tables import Values

# Chromium's page transitions, the low byte (ui/base/page_transition_types.h).
_TRANSITIONS = (
    "link",
    "typed",
    "bookmark",
    "subframe",
    "manual subframe",
    "suggested",
    "start page",
    "form",
    "reload",
    "keyword",
    "keyword",
)
_CHROMIUM_STATES = {0: "in progress", 1: "complete", 2: "cancelled", 3: "interrupted", 4: "interrupted"}
_FIREFOX_VISITS = ("", "link", "typed", "bookmark", "embedded", "redirect", "redirect", "download", "framed link", "reload")


def _short(url: str) -> str:
    return show(url[:200])


def _chromium(tables: Tables) -> Iterator[Trace]:
    urls = tables.by("urls", "id")
    for row in tables.rows("urls"):
        url = web.shown_url(row.text("url"))
        last = times.webkit(row.number("last_visit_time"))
        yield row.trace(
            "history-url",
            f"in the history: {_short(url)}",
            last,
            url=url,
            title=row.text("title"),
            visits=row.number("visit_count"),
            typed=row.number("typed_count"),
            hidden=bool(row.number("hidden")) or None,
        )
        if found := web.search_term(url):
            yield row.trace(
                "search-term", f"searched {found[1]} for: {show(found[0][:200])}", last, term=found[0], engine=found[1], url=url
            )
    for row in tables.rows("visits"):
        target = urls.get(row["url"])
        url = web.shown_url(target.text("url")) if target is not None else ""
        how = (row.number("transition") or 0) & 0xFF
        yield row.trace(
            "visit",
            f"visited {_short(url)}" if url else "visited an address that is gone from the history",
            times.webkit(row.number("visit_time")),
            url=url,
            title=target.text("title") if target is not None else "",
            how=_TRANSITIONS[how] if how < len(_TRANSITIONS) else "",
            seconds=(row.number("visit_duration") or 0) // 10**6 or None,
        )
    for row in tables.rows("keyword_search_terms"):
        target = urls.get(row["url_id"])
        url = web.shown_url(target.text("url")) if target is not None else ""
        when = times.webkit(target.number("last_visit_time")) if target is not None else None
        term = row.text("term", "lower_term", "normalized_term")
        yield row.trace("search-term", f"searched from the address bar for: {show(term[:200])}", when, term=term, url=url)
    chains: dict[object, list[Values]] = {}
    for row in tables.rows("downloads_url_chains"):
        chains.setdefault(row["id"], []).append(row)
    for row in tables.rows("downloads"):
        chain = [web.shown_url(r.text("url")) for r in sorted(chains.get(row["id"], []), key=lambda r: r.number("chain_index") or 0)][:20]
        start = row.number("start_time") or 0
        url = chain[-1] if chain else web.shown_url(row.text("url"))
        # Until 2013 the times of downloads were seconds since 1970.
        when = times.unix(start) if start < 10**11 else times.webkit(start)
        path = row.text("target_path", "current_path", "full_path")
        yield row.trace(
            "download",
            f"downloaded {show(path[-200:]) or _short(url)}",
            when,
            url=url,
            path=path,
            chain=chain[:-1],
            referrer=web.shown_url(row.text("referrer", "tab_url")),
            size=row.number("total_bytes"),
            received=row.number("received_bytes"),
            state=_CHROMIUM_STATES.get(row.number("state") or 0, ""),
            opened=bool(row.number("opened")) or None,
            mime=row.text("mime_type", "original_mime_type"),
        )


def _chromium_web_data(tables: Tables) -> Iterator[Trace]:
    for row in tables.rows("autofill"):
        name, value = row.text("name"), row.text("value")
        yield row.trace(
            "autofill",
            f"typed into a form: {show(value[:200])}",
            times.unix(row.number("date_last_used") or row.number("date_created")),
            field=name,
            value=value,
            times=row.number("count"),
        )


def _chromium_top_sites(tables: Tables) -> Iterator[Trace]:
    for name in ("top_sites", "thumbnails"):  # until 2019 beside the pictures
        for row in tables.rows(name):
            url = web.shown_url(row.text("url"))
            when = times.webkit(row.number("last_updated"))
            yield row.trace(
                "top-site", f"often visited: {_short(url)}", when, url=url, title=row.text("title"), rank=row.number("url_rank")
            )


def _chromium_shortcuts(tables: Tables) -> Iterator[Trace]:
    for row in tables.rows("omni_box_shortcuts"):
        term, url = row.text("text"), web.shown_url(row.text("url"))
        yield row.trace(
            "typed-url",
            f"typed into the address bar: {show(term[:200])}",
            times.webkit(row.number("last_access_time")),
            term=term,
            url=url,
            title=row.text("contents"),
            times=row.number("number_of_hits"),
        )


def _chromium_predictor(tables: Tables) -> Iterator[Trace]:
    for row in tables.rows("network_action_predictor"):
        term, url = row.text("user_text"), web.shown_url(row.text("url"))
        title = f"typed into the address bar: {show(term[:200])}"
        yield row.trace("typed-url", title, None, term=term, url=url, times=row.number("number_of_hits"))


def _chromium_logins(tables: Tables) -> Iterator[Trace]:
    for row in tables.rows("logins"):
        user, url = row.text("username_value"), web.shown_url(row.text("origin_url"))
        yield row.trace(
            "account",
            f"a stored login at {_short(url)}: {show(user[:100])}",
            times.webkit(row.number("date_last_used") or row.number("date_created")),
            account=user,
            url=url,
        )


def _firefox(tables: Tables) -> Iterator[Trace]:
    places = tables.by("moz_places", "id")
    for row in tables.rows("moz_places"):
        url, last = web.shown_url(row.text("url")), times.unix_us(row.number("last_visit_date"))
        yield row.trace(
            "history-url",
            f"in the history: {_short(url)}",
            last,
            url=url,
            title=row.text("title"),
            visits=row.number("visit_count"),
            typed=row.number("typed"),
            hidden=bool(row.number("hidden")) or None,
        )
        if last is not None and (found := web.search_term(url)):
            yield row.trace(
                "search-term", f"searched {found[1]} for: {show(found[0][:200])}", last, term=found[0], engine=found[1], url=url
            )
    for row in tables.rows("moz_historyvisits"):
        target = places.get(row["place_id"])
        url = web.shown_url(target.text("url")) if target is not None else ""
        how = row.number("visit_type") or 0
        yield row.trace(
            "visit",
            f"visited {_short(url)}" if url else "visited an address that is gone from the history",
            times.unix_us(row.number("visit_date")),
            url=url,
            title=target.text("title") if target is not None else "",
            how=_FIREFOX_VISITS[how] if 0 <= how < len(_FIREFOX_VISITS) else "",
        )
    for row in tables.rows("moz_bookmarks"):
        target = places.get(row["fk"])
        if target is not None:
            url = web.shown_url(target.text("url"))
            yield row.trace(
                "bookmark", f"bookmarked {_short(url)}", times.unix_us(row.number("dateadded")), url=url, title=row.text("title")
            )
    for row in tables.rows("moz_inputhistory"):
        target = places.get(row["place_id"])
        term = row.text("input")
        yield row.trace(
            "typed-url",
            f"typed into the address bar: {show(term[:200])}",
            None,
            term=term,
            url=web.shown_url(target.text("url")) if target is not None else "",
        )
    names = {row["id"]: row.text("name") for row in tables.rows("moz_anno_attributes")}
    for row in tables.rows("moz_annos"):
        if names.get(row["anno_attribute_id"]) == "downloads/destinationFileURI":
            target = places.get(row["place_id"])
            path = row.text("content")
            yield row.trace(
                "download",
                f"downloaded {show(path[-200:])}",
                times.unix_us(row.number("dateadded")),
                path=path,
                url=web.shown_url(target.text("url")) if target is not None else "",
            )


def _firefox_downloads(tables: Tables) -> Iterator[Trace]:
    for row in tables.rows("moz_downloads"):
        path, url = row.text("target", "name"), web.shown_url(row.text("source"))
        yield row.trace(
            "download",
            f"downloaded {show(path[-200:])}",
            times.unix_us(row.number("starttime")),
            url=url,
            path=path,
            referrer=web.shown_url(row.text("referrer")),
            size=row.number("maxbytes"),
            received=row.number("currbytes"),
            mime=row.text("mimetype"),
            end_time=times.unix_us(row.number("endtime")),
        )


def _firefox_forms(tables: Tables) -> Iterator[Trace]:
    for row in tables.rows("moz_formhistory"):
        name, value = row.text("fieldname"), row.text("value")
        kind = "search-term" if name == "searchbar-history" else "autofill"
        yield row.trace(
            kind,
            f"typed into {'the search bar' if kind == 'search-term' else 'a form'}: {show(value[:200])}",
            times.unix_us(row.number("lastused")),
            **({"term": value} if kind == "search-term" else {"field": name, "value": value}),
            times=row.number("timesused"),
        )


def _safari(tables: Tables) -> Iterator[Trace]:
    items = tables.by("history_items", "id")
    titles: dict[object, tuple[float, str]] = {}
    for row in tables.rows("history_visits"):
        target = items.get(row["history_item"])
        url = web.shown_url(target.text("url")) if target is not None else ""
        when = row["visit_time"]
        yield row.trace(
            "visit",
            f"visited {_short(url)}" if url else "visited an address that is gone from the history",
            times.cocoa(when),
            url=url,
            title=row.text("title"),
        )
        if isinstance(when, int | float):
            titles[row["history_item"]] = max(titles.get(row["history_item"], (0.0, "")), (float(when), row.text("title")))
    for row in tables.rows("history_items"):
        number = row["id"]
        url = web.shown_url(row.text("url"))
        last, title = titles.get(number, (0.0, ""))
        yield row.trace(
            "history-url", f"in the history: {_short(url)}", times.cocoa(last), url=url, title=title, visits=row.number("visit_count")
        )
        if found := web.search_term(url):
            yield row.trace(
                "search-term",
                f"searched {found[1]} for: {show(found[0][:200])}",
                times.cocoa(last),
                term=found[0],
                engine=found[1],
                url=url,
            )
    for row in tables.rows("history_tombstones"):
        url = web.shown_url(row.text("url"))
        yield row.trace(
            "history-deleted",
            f"was taken out of the history: {_short(url)}" if url else "a time was taken out of the history",
            times.cocoa(row["end_time"]),
            url=url,
            start_time=times.cocoa(row["start_time"]),
        )


def _safari_tabs(tables: Tables) -> Iterator[Trace]:
    for row in tables.rows("tabs"):
        url = web.shown_url(row.text("url", "user_visible_url"))
        if url:
            yield row.trace(
                "tab",
                f"an open tab: {_short(url)}",
                times.cocoa(row["last_viewed_time"]),
                url=url,
                title=row.text("title"),
                private=bool(row.number("private_browsing")) or None,
            )


def _android_webview_forms(tables: Tables) -> Iterator[Trace]:
    urls = {row["_id"]: web.shown_url(row.text("url")) for row in tables.rows("formurl")}
    for row in tables.rows("formdata"):
        value = row.text("value")
        yield row.trace(
            "autofill", f"typed into a form: {show(value[:200])}", None, field=row.text("name"), value=value, url=urls.get(row["urlid"], "")
        )


STORES = (
    Store("chromium-history", "", {"urls": ("id", "url", "last_visit_time"), "visits": ("visit_time", "transition")}, _chromium),
    Store("chromium-web-data", "", {"autofill": ("name", "value", "date_created")}, _chromium_web_data),
    Store("chromium-top-sites", "", {"top_sites": ("url", "title", "url_rank")}, _chromium_top_sites),
    Store("chromium-top-sites-old", "", {"thumbnails": ("url", "title", "url_rank", "last_updated")}, _chromium_top_sites),
    Store("chromium-shortcuts", "", {"omni_box_shortcuts": ("text", "url", "last_access_time")}, _chromium_shortcuts),
    Store("chromium-predictor", "", {"network_action_predictor": ("user_text", "url")}, _chromium_predictor),
    Store("chromium-logins", "", {"logins": ("origin_url", "username_value")}, _chromium_logins),
    Store("firefox-places", "Firefox", {"moz_places": ("id", "url")}, _firefox),
    Store("firefox-downloads", "Firefox", {"moz_downloads": ("source", "target")}, _firefox_downloads),
    Store("firefox-forms", "Firefox", {"moz_formhistory": ("fieldname", "value")}, _firefox_forms),
    Store("safari-history", "Safari", {"history_items": ("id", "url"), "history_visits": ("history_item", "visit_time")}, _safari),
    Store("safari-tabs", "Safari", {"tabs": ("uuid", "url", "private_browsing")}, _safari_tabs),
    Store("android-forms", "Android browser", {"formurl": ("url",), "formdata": ("urlid", "value")}, _android_webview_forms),
)
