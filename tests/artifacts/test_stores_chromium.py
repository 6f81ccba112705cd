"""Chromium's smaller databases: sites that were visited often, what was typed into the address bar."""

from __future__ import annotations

from store_makers import database, said

WHEN = 13_350_000_000_000_000
"""Microseconds since 1601: 2024-01-17."""


def test_often_visited_sites_of_new_and_old_versions() -> None:
    new = database(
        top_sites=[{"url": "https://a.example/", "url_rank": 0, "title": "A"}, {"url": "https://b.example/", "url_rank": 1, "title": "B"}]
    )
    assert [(t.kind, t.data["url"], t.data["title"], t.data.get("rank")) for t in said(new, "chromium-top-sites")] == [
        ("top-site", "https://a.example/", "A", 0),
        ("top-site", "https://b.example/", "B", 1),
    ]
    old = database(thumbnails=[{"url": "https://a.example/", "url_rank": 3, "title": "A", "last_updated": WHEN}])
    (one,) = said(old, "chromium-top-sites-old")
    assert (one.kind, one.data["time"]) == ("top-site", "2024-01-17T21:20:00Z")


def test_what_was_typed_into_the_address_bar() -> None:
    shortcuts = database(
        omni_box_shortcuts=[
            {"text": "holi", "url": "https://a.example/holiday", "contents": "Holiday", "last_access_time": WHEN, "number_of_hits": 4}
        ]
    )
    (one,) = said(shortcuts, "chromium-shortcuts")
    assert (one.kind, one.data["term"], one.data["url"], one.data["times"], one.data["time"]) == (
        "typed-url", "holi", "https://a.example/holiday", 4, "2024-01-17T21:20:00Z",
    )  # fmt: skip
    predictor = database(
        network_action_predictor=[{"user_text": "hol", "url": "https://a.example/", "number_of_hits": 2, "number_of_misses": 1}]
    )
    (one,) = said(predictor, "chromium-predictor")
    assert (one.kind, one.data["term"], one.data["times"]) == ("typed-url", "hol", 2)
