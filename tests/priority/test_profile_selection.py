from __future__ import annotations

import time

import pytest

from triage.model import Entry, Kind
from triage.priority.profile import builtin_profiles, load_profile

HEAD = "schema: 1\nname: p\n"


@pytest.fixture
def profile(tmp_path):
    def make(body):
        path = tmp_path / "p.yaml"
        path.write_text(HEAD + body, encoding="utf-8")
        return load_profile(path)

    return make


def entry(path, *, kind=Kind.FILE, size=10_000, deleted=False, orphan=False):
    return Entry(
        id="e",
        evidence="m",
        volume=1,
        path=path,
        name=path.rpartition("/")[2],
        kind=kind,
        size=size,
        name_allocated=not deleted,
        meta_allocated=not deleted,
        orphan=orphan,
    )


@pytest.mark.parametrize(
    ("select", "item", "reason"),
    [
        ("{}", entry("vol1/x"), None),
        ("{}", entry("vol1/x", kind=Kind.DIRECTORY), "no content: directory"),
        ("{}", entry("vol1/x", kind=Kind.LINK), "no content: link"),
        ("{}", entry("vol1/x", kind=Kind.SPECIAL), "no content: special file"),
        ("{kinds: stream}", entry("vol1/x:y", kind=Kind.STREAM), None),
        ("{kinds: stream}", entry("vol1/x"), "profile: kind not selected"),
        ("{states: [deleted, orphan]}", entry("vol1/x", deleted=True), None),
        ("{states: [deleted, orphan]}", entry("vol1/x", orphan=True), None),
        ("{states: [deleted, orphan]}", entry("vol1/x"), "profile: state not selected"),
        ("{states: carved}", entry("vol1/x", kind=Kind.CARVED), None),
        ("{size: {max: 256 MiB}}", entry("vol1/x", size=256 << 20), None),
        ("{size: {max: 256 MiB}}", entry("vol1/x", size=(256 << 20) + 1), "profile: larger than 256 MiB"),
        ("{size: {min: 4 KiB}}", entry("vol1/x", size=4096), None),
        ("{size: {min: 4 KiB}}", entry("vol1/x", size=4095), "profile: smaller than 4 KiB"),
        ("{paths: ['*/Users/*']}", entry("vol1/USERS/x"), None),
        ("{paths: ['*/Users/*']}", entry("vol1/x"), "profile: place not selected"),
        ("{paths: {exclude: ['*/Windows/*']}}", entry("vol1/x"), None),
        ("{paths: {exclude: ['*/Windows/*']}}", entry("vol1/windows/x"), "profile: place left out"),
        ("{extensions: [jpg]}", entry("vol1/x.JPG"), None),
        ("{extensions: [jpg]}", entry("vol1/x.png"), "profile: extension not selected"),
        ("{categories: picture}", entry("vol1/x.jpeg"), None),
        ("{categories: picture}", entry("vol1/x.mp4"), "profile: extension not selected"),
        ("{categories: picture}", entry("vol1/f_000123"), "profile: extension not selected"),
        ("{categories: unknown}", entry("vol1/f_000123"), None),
        ("{categories: unknown}", entry("vol1/x.qqq"), None),
        ("{categories: unknown}", entry("vol1/x.jpg"), "profile: extension not selected"),
        ("{categories: unknown, extensions: jpg}", entry("vol1/x.jpg"), None),
        ("{categories: video, extensions: [qqq]}", entry("vol1/x.qqq"), None),
        ("{categories: video, extensions: [qqq]}", entry("vol1/x.zzz"), "profile: extension not selected"),
        ("{any: [{kinds: stream}, {categories: picture}]}", entry("vol1/x.jpg"), None),
        ("{any: [{kinds: stream}, {categories: picture}]}", entry("vol1/x:y", kind=Kind.STREAM), None),
        (
            "{any: [{kinds: stream}, {categories: picture}]}",
            entry("vol1/x.txt"),
            "profile: fits none of the selections",
        ),
        (
            "{size: {max: 5}, any: [{categories: picture}]}",
            entry("vol1/x.jpg"),
            "profile: larger than 5 bytes",
        ),
    ],
)
def test_content_is_read_or_a_reason_says_why_not(profile, select, item, reason):
    assert profile(f"select: {select}\n").select_reason(item) == reason


TIERS = """tiers:
  - {name: users, paths: ['*/Users/*'], categories: picture}
  - {name: deleted, states: deleted}
  - {name: named, extensions: [qqq]}
  - {name: strange, categories: unknown, size: {min: 100}}
  - {name: large, size: {min: 1 MiB}}
"""


@pytest.mark.parametrize(
    ("item", "tier", "name"),
    [
        (entry("vol1/Users/a/x.jpg"), 0, "users"),
        (entry("vol1/Users/a/x.jpg", deleted=True), 0, "users"),
        (entry("vol1/x.jpg", deleted=True), 1, "deleted"),
        (entry("vol1/x.qqq"), 2, "named"),
        (entry("vol1/x"), 3, "strange"),
        (entry("vol1/x", size=99), 5, "everything else"),
        (entry("vol1/x.txt", size=1 << 20), 4, "large"),
        (entry("vol1/x.txt"), 5, "everything else"),
    ],
)
def test_the_first_tier_that_fits_decides(profile, item, tier, name):
    made = profile(TIERS)
    assert made.tier_of(item) == tier
    assert made.tier_name(tier) == name


USERS = "vol2/Users/alex"


@pytest.mark.parametrize(
    ("item", "quick", "media"),
    [
        (entry(f"{USERS}/Pictures/x.jpg"), True, True),
        (entry(f"{USERS}/Documents/notes.txt"), True, True),
        (entry(f"{USERS}/AppData/Local/Google/Chrome/Cache/f_00012a"), True, True),
        (entry(f"{USERS}/AppData/Local/App/app.dll"), False, False),
        (entry(f"{USERS}/AppData/Local/App/places.sqlite"), True, False),
        (entry("vol1/DCIM/100CANON/IMG_1.JPG"), True, True),
        (entry("vol1/x.zip"), True, True),
        (entry("vol1/notes.txt"), True, False),
        (entry("vol2/Windows/Web/img0.jpg"), False, True),
        (entry("vol2/Windows/System32/ntdll.dll"), False, False),
        (entry("vol2/Windows/x.dll", deleted=True), True, False),
        (entry("vol2/Windows/x.dll:hidden", kind=Kind.STREAM), True, True),
        (entry("vol2/$Recycle.Bin/S-1-5/$R1.txt"), True, True),
        (entry(f"{USERS}/Videos/long.mkv", size=300 << 20), False, True),
        (entry("vol1/usr/lib/libc.so"), False, False),
    ],
)
def test_the_builtin_profiles_read_what_they_are_for(item, quick, media):
    assert (load_profile("quick").select_reason(item) is None) is quick
    assert (load_profile("media").select_reason(item) is None) is media
    assert load_profile("full").select_reason(item) is None


def test_the_builtin_profiles_go_to_users_media_first_and_to_programs_last():
    order = [
        entry(f"{USERS}/Pictures/x.jpg"),
        entry("vol2/Windows/x.jpg", deleted=True),
        entry("vol1/x.mp4"),
        entry("vol1/x.txt:hidden", kind=Kind.STREAM),
        entry(f"{USERS}/x.zip"),
        entry(f"{USERS}/f_0001"),
        entry("vol2/x.dll", deleted=True),
        entry(f"{USERS}/x.log"),
        entry("vol2/Windows/x.png"),
        entry("vol2/Windows/x.dll"),
    ]
    for name in builtin_profiles():
        tiers = [load_profile(name).tier_of(item) for item in order]
        assert tiers == sorted(set(tiers))


@pytest.mark.parametrize("name", builtin_profiles())
def test_a_name_walk_is_not_held_up(name):
    profile = load_profile(name)
    items = [
        entry(f"vol2/Users/alex/AppData/Local/Some Program/Cache/{n}/file{n}.{ext}")
        for n in range(500)
        for ext in ("jpg", "dll", "txt", "zip")
    ]
    began = time.perf_counter()
    for item in items:
        profile.tier_of(item)
        profile.select_reason(item)
    # about 3 µs an entry for both; the bound is loose because test machines are shared
    assert (time.perf_counter() - began) / len(items) < 60e-6


def test_a_hostile_path_takes_no_more_than_its_length():
    profile = load_profile("quick")
    item = entry("vol1/" + "Users/*[?/" * 20_000 + "x.jpg")
    began = time.perf_counter()
    assert profile.tier_of(item) == 0
    assert profile.select_reason(item) is None
    assert time.perf_counter() - began < 1
