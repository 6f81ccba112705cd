"""Links to files in peer-to-peer networks: each kind of digest, each way they are written, bounds, damage."""

from __future__ import annotations

import time
from base64 import b32encode
from typing import TYPE_CHECKING

from real_samples import PLUGINS, findings, item_of, mutants, never_fails, problems, run

from triage.artifacts.p2p import fitting, hex_of, said, table
from triage.artifacts.p2plinks import find_links, has_links

if TYPE_CHECKING:
    from triage.plugin import Finding, Item

ED2K, SHA1, TTH = "31D6CFE0D16AE931B73C59D7E0C089C1", bytes(range(20)), bytes(range(24))
B32 = b32encode(SHA1).decode().rstrip("=")
TTH32 = b32encode(TTH).decode().rstrip("=")


def links(text: str, path: str = "vol1/home/kim/notes.txt", encoding: str = "utf-8") -> list[Finding]:
    return findings(run("p2p_links", item_of(text.encode(encoding), path)))


def samples() -> list[Item]:
    return [
        item_of(f"see ed2k://|file|a%20film.avi|123|{ED2K}|/ and magnet:?xt=urn:btih:{B32}&dn=A+film\n".encode(), "vol1/home/kim/notes.txt")
    ]


def test_ed2k_links_give_name_size_and_hashes() -> None:
    for text in (
        f"ed2k://|file|a%20film.avi|123|{ED2K}|h={B32}|/",
        f"ed2k://|file|a film.avi|123|{ED2K}|h={B32}|p={ED2K}:{ED2K}|/ and more",
        f"<a href='ed2k://%7Cfile%7Ca%20film.avi%7C123%7C{ED2K.lower()}%7Ch={B32.lower()}%7C/'>",
    ):
        (one,) = links(text)
        assert (one.kind, one.data["name"], one.data["size"], one.data["user"]) == ("p2p-link", "a film.avi", 123, "kim")
        assert one.data["digests"] == [{"ed2k": ED2K.lower(), "aich": SHA1.hex()}]
        assert one.data["network"] == "eDonkey"


def test_magnet_links_give_each_kind_of_digest() -> None:
    for value, digests in (
        (f"urn:btih:{SHA1.hex()}", {"btih": SHA1.hex()}),
        (f"urn:btih:{B32}", {"btih": SHA1.hex()}),
        (f"urn:sha1:{B32}", {"sha1": SHA1.hex()}),
        (f"urn:tree:tiger:{TTH32}", {"tth": TTH.hex()}),
        (f"urn:bitprint:{B32}.{TTH32}", {"sha1": SHA1.hex(), "tth": TTH.hex()}),
        (f"urn:ed2k:{ED2K}", {"ed2k": ED2K.lower()}),
        (f"urn:ed2khash:{ED2K}", {"ed2k": ED2K.lower()}),
        (f"urn:md5:{ED2K}", {"md5": ED2K.lower()}),
        (f"urn:aich:{B32}", {"aich": SHA1.hex()}),
    ):
        (one,) = links(f"magnet:?xt={value}&dn=A+film%2c+cut&xl=99&tr=http%3A%2F%2Ft.example%2Fa")
        assert one.data["digests"] == [digests], value
        assert (one.data["name"], one.data["size"], one.data["urls"]) == ("A film, cut", 99, ["http://t.example/a"])


def test_links_are_found_as_pages_json_and_sentences_write_them() -> None:
    for text in (
        f'<p><a href="magnet:?dn=A%20film&amp;xt=urn:btih:{B32}">',
        f'{{"url": "magnet:?dn=A%20film\\u0026xt=urn:btih:{B32}"}}',
        f"(see magnet:?dn=A%20film&xt=urn:btih:{B32}).",
        f"magnet:?dn=A%20film&xt.1=urn:btih:{B32}\n",
    ):
        (one,) = links(text, "vol1/page.html")
        assert (one.data["name"], one.data["digests"]) == ("A film", [{"btih": SHA1.hex()}])


def test_a_digest_that_no_list_has_is_told_without_being_matched() -> None:
    (one,) = links("magnet:?xt=urn:btmh:1220" + "ab" * 32)
    assert (one.data["btmh"], "digests" in one.data, one.data["network"]) == ("1220" + "ab" * 32, False, "BitTorrent")


def test_texts_of_two_bytes_a_character_are_read_with_their_places() -> None:
    text = f"\ufeffsee ed2k://|file|a|1|{ED2K}|/\n"
    for encoding in ("utf-16-le", "utf-16-be"):
        (one,) = links(text, encoding=encoding)
        assert one.ranges == ((10, 2 * len(f"ed2k://|file|a|1|{ED2K}|/")),)
    (two,) = links(text[1:])
    assert two.ranges == ((4, len(f"ed2k://|file|a|1|{ED2K}|/")),)
    (three,) = links("größe " + text[1:])
    assert three.ranges == ()


def test_links_come_once_in_their_order_and_not_without_bound() -> None:
    text = "\n".join(f"ed2k://|file|{n}|1|{n % 2100:032x}|/" for n in range(4200))
    one = run("p2p_links", item_of(text.encode(), "vol1/a.txt"))
    assert [f.data["name"] for f in findings(one)] == [str(n) for n in range(2000)]
    assert "200 links" in problems(one)[0].message


def test_what_is_no_link_to_a_file_says_nothing() -> None:
    for text in (
        "ed2k://|server|10.0.0.1|4661|/ is a server, not a file", f"ed2k://|file|a|1|{ED2K[:-1]}|/ is cut off", "magnet:?xt=urn:btih:short",
        "magnet:?dn=only+a+name+of+something", "a magnet: it draws iron to itself", f"ed2k://|file|a|one|{ED2K}|/",
    ):  # fmt: skip
        assert links(f"{text} and so on and so forth") == [], text


def test_lists_of_torrents_are_left_to_the_plugin_that_reads_them() -> None:
    text = f"magnet:?xt=urn:btih:{B32}&dn=A+film"
    assert [len(links(text, path)) for path in ("vol1/x.fastresume", "vol1/deluge/state/torrents.state", "vol1/x.txt")] == [0, 0, 1]


def test_the_time_is_linear_in_the_text() -> None:
    for piece in (
        "ed2k://|file|",
        "magnet:?",
        "ed2k://|file|a|1|" + "0" * 31,
        "ed2k:%2F%2F%7Cfile%7C%",
        "magnet:?xt=urn:btih:" + "&xt=" * 40,
    ):
        text = piece * ((1 << 20) // len(piece))
        began = time.perf_counter()
        list(find_links(text))
        assert time.perf_counter() - began < 2, piece


def test_it_wants_small_texts_only() -> None:
    accepts = PLUGINS["p2p_links"].accepts
    for data, path, wanted in ((b"see magnet:?xt=urn:btih:abcdefgh\n" * 3, "vol1/a.txt", True), (bytes(100), "vol1/a.bin", False)):
        item = item_of(data, path)
        assert accepts.matches(item.entry, item.type) is wanted
    assert has_links("mAgNeT:?".encode("utf-16-le")) is True
    assert has_links(b"nothing at all") is False


def test_digests_are_taken_in_hexadecimal_and_base32_only() -> None:
    assert hex_of("tth", TTH32.lower()) == hex_of("tth", TTH.hex().upper()) == TTH.hex()
    assert hex_of("btih", B32 + "=") == SHA1.hex()
    for kind, text in (
        ("sha1", "0" * 39),
        ("sha1", "g" * 40),
        ("tth", "1" * 39),
        ("nothing", "0" * 40),
        ("md5", "0 " * 16),
        ("md5", "é" * 32),
    ):
        assert hex_of(kind, text) == ""


def test_findings_stay_within_their_room() -> None:
    assert said({"a": "", "b": 0, "c": [], "d": False, "e": None, "f": "x" * 2000}) == {"b": 0, "d": False, "f": "x" * 1000 + "…"}
    assert fitting(["x" * 100] * 10, 500) == ["x" * 100] * 4
    assert table({"a": "x" * 100, "b": "y" * 1000}, 500) == {"a": "x" * 100}


def test_damage_never_breaks_it() -> None:
    data = samples()[0].read(4096)
    for one in mutants(data, 300):
        item = item_of(one, "vol1/home/kim/notes.txt")
        never_fails("p2p_links", item)
