"""7z archives of the same few files: made with 7-Zip 26.02 in many ways, and a maker of plain ones with a list that is not packed."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

FILES = {"a.txt": b"hello " * 40, "d/b.jpg": b"\xff\xd8\xff" + bytes(range(64)) * 3, "d/c ü.bin": b"\xe8\x10\x20\0\0abc" * 30}
"""What is in each of the archives, beside two folders and an empty file; all changed at TIME."""
TIME = 1_614_834_367_500_000_000
"""2021-03-04 05:06:07.5 UTC."""


def number(value: int) -> bytes:
    """Return a NUMBER as 7z writes it."""
    for extra in range(8):
        if value < 1 << (7 * (extra + 1)):
            first = (0xFF00 >> extra & 0xFF) | value >> (8 * extra)
            return bytes([first]) + (value & ((1 << 8 * extra) - 1)).to_bytes(extra, "little")
    return b"\xff" + value.to_bytes(8, "little")


def sealed(packed: bytes, header: bytes) -> bytes:
    """Return an archive of packed bytes and a list."""
    start = struct.pack("<QQI", len(packed), len(header), zlib.crc32(header))
    return b"7z\xbc\xaf\x27\x1c\0\4" + struct.pack("<I", zlib.crc32(start)) + start + packed + header


def archive(files: dict[str, bytes], coder: bytes = b"\1\0", packed: bytes | None = None, more: Sequence[tuple[int, bytes]] = ()) -> bytes:
    """Return an archive of files in one folder with one coder, as it stands in the list. ``more``: properties of the files."""
    plain = b"".join(files.values())
    packed = plain if packed is None else packed
    sizes = b"".join(number(len(data)) for data in list(files.values())[:-1])
    crcs = b"".join(struct.pack("<I", zlib.crc32(data)) for data in files.values())
    streams = b"\6" + number(0) + number(1) + b"\x09" + number(len(packed)) + b"\0"
    streams += b"\7\x0b" + number(1) + b"\0" + b"\1" + coder + b"\x0c" + number(len(plain)) + b"\0"
    streams += b"\x08\x0d" + number(len(files)) + (b"\x09" + sizes if len(files) > 1 else b"") + b"\x0a\1" + crcs + b"\0"
    names = b"\0" + b"".join(name.encode("utf-16-le") + b"\0\0" for name in files)
    noted = b"".join(number(kind) + number(len(data)) + data for kind, data in [(0x11, names), *more])
    return sealed(packed, b"\1\4" + streams + b"\0\5" + number(len(files)) + noted + b"\0\0")


_MADE = {
    "arm64": (
        "N3q8ryccAATbqXdF9AAAAAAAAAAiAAAAAAAAAOuOrSfgAqIAWV0ANBlJ7o3pXm1Z5XXGsSCHvVTX+iRaQnyfkUrIvHz536iiTp0XDnwnAAMJbef9t2HDtkE9"
        "kK9eLl8dRnsjs7P0KogOVZT2dXIC2he3aIwLvXXkJy7ZuqK1YoAAAACBMweuD9Ocyz1Au5RkHOJoiDq/GoXCyVAwhqFlq8Ak8gNqKUHWeyWllM35EKD3Nfwx"
        "N39BgV6Qt2oqvOYRc9i6e7ZhWH7CHY8Z/6IUW/LUJn6oYrCIxxm/gC/LVv4QTbNxyDXVPHHd37Q5etDesPjlFcPgEPXa01YJ16cNQzorpvWVISuJR9i6EprY"
        "WYTcAAAAFwZhAQmAkwAHCwEAASMDAQEFXQAQAAAMgMoKAXhB3nwAAA=="
    ),
    "bcj": (
        "N3q8ryccAAT8CkH9KgEAAAAAAAAjAAAAAAAAAFk8YJwANBlJ7o3pXm1Z5XXGsSCHvVTX+iRaQnyfkUrIvHz536iiTp0XDnwnAAMJbef9t2HDtkE9kK9eLl8d"
        "Rnsjs7P0KogOVZT2dXIC2he3aKii7rYOtBrg8HMwwjsz6ExHU1/+kJllmvuLB47zTmeuRZbFml6auISHhe82G33SWy3/JIJdCmbkmOwBM81sFAAAAIEzB64P"
        "1S/xMFZsJwHg9aHn+j8Wr6gGBj/09VVRJVfPIMgz9wQRZZ5VAxwlVgSTCDbe5I+SNRbh35cl8zwIAdgvjrTbZS5E7s8AZEUD7591J4KsZofqYdvsv0c+2vXP"
        "Ma03E0dO5ERiZZVr1UMbjTBvvId2hbkMBgYGQhr+tBPtmu0lxlxP8kZIZUqRVOwkkYuXCCTdQwtwAAAAFwaAjQEJgJ0ABwsBAAEjAwEBBV0AEAAADIDaCgEA"
        "zJZlAAA="
    ),
    "bcj2": (
        "N3q8ryccAAQI0AB6/wAAAAAAAAAiAAAAAAAAAByGN6oANBlJ7o3pXm1Z5XXGsSCHvVTX+iRaQnyfkUrIvHz536iiTp0XDnwnAAMJbef9t2HDtkE9kK9eLl8d"
        "Rnsjs7P0KogOVZT2dXIC2he3aIwLvXXkJy7ZuqK1YoAAAAAAAAAAAACBMweubcOUqrVySvOURB2Kujn5vdRwM3+LP7dImkYMgGvAyHnZ3fARiCMI6yRpTY6Y"
        "afMbh0sjg9jCoEpe2g1vGJQp0iy6CKNTu+KvNjCd2MvAF2DmJ3caWE1pq2h5XIpOhCPKerbbawkiQMpsoGPBWMg2nKpyR9yZfq7+BAFdV3zJA/GCFVwrEv+g"
        "77vYEf2FqX3n0A9elREYaAAXBmEBCYCeAAcLAQABIwMBAQVdABAAAAyA2goBloepuQAA"
    ),
    "bzip2": (
        "N3q8ryccAAS9sjbtTAEAAAAAAAAjAAAAAAAAADlF4JZCWmg5MUFZJlNZ9STZlQAA8XkD//////////+6RIBAAEAAALAAuVHf+qoAAAAAAAAGAAADgAAAYAAA"
        "AAAAADeqqhoAaAABo0AAADAAaKkGO3MxJJSZrOZ7QaLSabUaqm1mu2Gyxwbbcbreb7gcLicbkcrmVHO6FOCqokidLqdbscjmdDqdjueDyej2fD6fj+ICIkJi"
        "gqLC4wMjRcXVuC9BfgxSRMNUSYpIlEkiUUkEUdCQXckU4UJD1JNmVAAAgTMHrg/VMPvQFyTT/rKXes6wQ+SyjHF8WxHGln8ZX6dY1wVnhZy8Ryvg/z1AiEgX"
        "wA53FDcDMoITPxhPfX17df6qAZhGYE4BBIXPXsOWeeA9cun9XijaeRxP2JnRTZgRhC8CIZLH379Qy9nkZPMLqe3rzbucuMpE61FmiKHArkL+97+rUSwXWias"
        "6wAAABcGgLwBCYCQAAcLAQABIwMBAQVdABAAAAyAygoBE5ZCVQAA"
    ),
    "copy": (
        "N3q8ryccAASEnLdcLQMAAAAAAAAjAAAAAAAAAEblXGloZWxsbyBoZWxsbyBoZWxsbyBoZWxsbyBoZWxsbyBoZWxsbyBoZWxsbyBoZWxsbyBoZWxsbyBoZWxs"
        "byBoZWxsbyBoZWxsbyBoZWxsbyBoZWxsbyBoZWxsbyBoZWxsbyBoZWxsbyBoZWxsbyBoZWxsbyBoZWxsbyBoZWxsbyBoZWxsbyBoZWxsbyBoZWxsbyBoZWxs"
        "byBoZWxsbyBoZWxsbyBoZWxsbyBoZWxsbyBoZWxsbyBoZWxsbyBoZWxsbyBoZWxsbyBoZWxsbyBoZWxsbyBoZWxsbyBoZWxsbyBoZWxsbyBoZWxsbyBoZWxs"
        "byD/2P8AAQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCkqKywtLi8wMTIzNDU2Nzg5Ojs8PT4/AAECAwQFBgcICQoLDA0ODxAREhMU"
        "FRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+PwABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4fICEiIyQlJicoKSorLC0u"
        "LzAxMjM0NTY3ODk6Ozw9Pj/oECAAAGFiY+gQIAAAYWJj6BAgAABhYmPoECAAAGFiY+gQIAAAYWJj6BAgAABhYmPoECAAAGFiY+gQIAAAYWJj6BAgAABhYmPo"
        "ECAAAGFiY+gQIAAAYWJj6BAgAABhYmPoECAAAGFiY+gQIAAAYWJj6BAgAABhYmPoECAAAGFiY+gQIAAAYWJj6BAgAABhYmPoECAAAGFiY+gQIAAAYWJj6BAg"
        "AABhYmPoECAAAGFiY+gQIAAAYWJj6BAgAABhYmPoECAAAGFiY+gQIAAAYWJj6BAgAABhYmPoECAAAGFiY+gQIAAAYWJj6BAgAABhYmMAAIEzB65PpQGe0Cb0"
        "iWPPMabntp+TIolk1oQzWO8WjvGEMIi3JVL1jvYADHeIiOcJfw77m/7iB77C8l8hjI4IXswfUErEAQ34bxws/ZUwEezi0/KACA7jDdn2sCvszU5BZR2HsWia"
        "5WPks1cXk5QqScLiM6Ah6I0rgFC8wWSnvBa3xk9AJhwgAAAXBoKjAQmAigAHCwEAASMDAQEFXQAQAAAMgMoKAeWcu6AAAA=="
    ),
    "deflate": (
        "N3q8ryccAARwspCK9wAAAAAAAAAiAAAAAAAAAH00O7nly7cNg0AAQNFzzjbO2T5yzjnPAgiJAol1GYEtYAwKmv+rV+RlWcHhtK1bMBpPprP5Yrlab7a7/QE5"
        "ns6X6+3+eL7en+/vD1EMJ0iKZliOF0RJVlRNN0zLdlzPD8Io7ts3CAQgSbOhvAMAAIEzB64P1AQFPUDAkM7lyzKfGZ8BDS+R5HoUaEM0QMweMgI0VDjuIN3U"
        "cgp+xlRHn6iMizdr4XS1M12tlAY0NPKujThcHm56HOwMP2AhFXbB4UHMX84JYy9zOEsw7Op4stVY/QgKwbw+ayI4XHGtuiHx7iYjH+lQkdRReRqh+qsOJOsw"
        "5iJaHFLRAAAAFwZpAQmAjgAHCwEAASMDAQEFXQAQAAAMgMoKAT42QJIAAA=="
    ),
    "delta": (
        "N3q8ryccAATQWBtdzAAAAAAAAAAiAAAAAAAAAO8EmcPgAqIAMV0ANBlJ7hxLZChSpOPwuodyGp0FvLthJGZ1xvQNhYbqgptdtaJDIeoOC1bCfAmHnh9CwAAA"
        "AIEzB64P0YkKnKCKabC6aKgiWBawKpOY/J3P3a/R1pMzT4M22/ph5Tt8XByiSrYy4/CwvYtXHaVu2OJBogUTN1eQApKjNcluSwF+K499794WCqypeItu6JGG"
        "sZmeYLJo2pdc9zdaIlpC7pL8Gxy1F7wkIoqAW01IKqytDlLaY3FNNrczOZOa/KeeTpOyEdkAAAAXBjkBCYCTAAcLAQABIwMBAQVdABAAAAyAygoBLbmoewAA"
    ),
    "he": (
        "N3q8ryccAAQcEDB3IAEAAAAAAAA+AAAAAAAAAHWGlzbOTF87BpvyMV7w78Lh3kFTRs0UJoS/WTsroDn2bmq9SbIN8F+pUf3h9cFuH9VctWOvMFD70sqbOSLD"
        "kv4LmQSHSMmvN8UhldTtxhNVJm2F0HhXqUQ/4YDlPA25s1pp5IgSHZuCTc3RVeTVqaaqxPQcbR6JwBMLBfezYR1MOU8naEm+zjVrgHnZWsKKQR9YwqMcvl6t"
        "exYCbGlZbakhSn0oHHWuUp0Cs5DJVAoWOMpmXzyY02HNp9LUzl1fM4kLSrEeuiINFHY6rh05AJB8YTZDEp3BWw7n/ktXMTVxAg4MtcIkOGql8T9c6+qdq/bk"
        "aAFTx3Z+guXNgWO4glXllBIEZydtEa8iH0VCuOWQbPJ5LvkIpOcjRvI5pRU5GAAsOO4XBmABCYDAAAcLAQACJAbxBwESUw8VGSEla33zdYUlbxiz/cS2IwMB"
        "AQVdABAAAAEADICxgOoKAXlRKo0AAA=="
    ),
    "ppmd": (
        "N3q8ryccAAQeEq28+wAAAAAAAAAiAAAAAAAAAITOIPAAZ/uDfXAkW+RDW5JxDJzGID73MCmHSLrE22bjQ69Ido3f6YRY2Hu73/d5LmLhB7M9s6YA9bv64FNt"
        "V84FQtBEio7waghrL52OtjC4BqrodF88MsCYAAAB7gBY3uaP+GyOP8qcAAAAAACBMweuD9PqNr1AwJDTQ8UqLG6gn3tq7UARiRgpqjPZRoxv0EDxRzyg0Xj6"
        "UGaHMxPUP2XWlnmjgccRs10AlECOabcw+oxQmBgcahW7BKqFVfyJgN4N7I69bcG5ldWERqh6rTOEn1ZKgMUhsMfmtKbT8kDVtAOjSp4OpPYzYn3euffCkJpc"
        "PW2/pM0yMM4SyAAAABcGZwEJgJQABwsBAAEjAwEBBV0AEAAADIDKCgHbh1uHAAA="
    ),
    "pw": (
        "N3q8ryccAAQWcPUEEQEAAAAAAAAiAAAAAAAAADukwdAnB+nmnygzvpf4FVSAT9PuDZOmzvHN5Z0h4QE5TV81G2GD+vqbv1IVcpNxnntEgYBvT7Aat7crZ15N"
        "U92zMuZwUquAnuLWRlvrv0GxXqjwvV4fRCnO0XVdSkgbsGZ/bXAAAIEzB64P04/j/UC7lGQ7OaR652og+4A6wecsQkrzfHCLcMMO1DkhfkWjOQhOQL6qcEwP"
        "LanzRphq4IwlZNN9Di/Z6ulUEbzSAfM1O3jQrkndCeWhMEKmVcLwzaSKYQTT58F/GGLrf2x3yFR1AkTfniWPWKa8N/drj0Cu/wMFBnG63VnDbnMH9RtNIAop"
        "wIsxbiOk1IvBzoqs5aSHJIIV1BuOSxVR2iB2gVnr2X4AAAAXBmABCYCxAAcLAQABIwMBAQVdABAAAAyA6goB3w99dgAA"
    ),
    "solid": (
        "N3q8ryccAATXnvx78QAAAAAAAAAiAAAAAAAAAF1zGCvgAqIAWl0ANBlJ24VcaGkcFxiqJOcJm+Ap/e4qVCF8k9QvDBctnc37UB4KHlRkd7N6HBmwDvObnBay"
        "omjSTOxO8Xyhj5J5cNtnoZNAWNpeWP9O+LyfbppJgX658am6i2AAAAAAgTMHrg/TqbJ9QMCQ0v99aU2PW7nhZrDGzHAdb5Cqd0/nL+ddFCJMuPGt3JSZb621"
        "2hAAppkiycFAOZKQkG1oaH4qBDjKJYhpa7JMfStH9e8/uEBNK+F54sh6T+vdUhY2RkLJuCDLv6Gd8BxpV/BSYQG+/JPPU9AtMhTIWkw/Jr4HWaeX2UMyF9zf"
        "AAAAFwZiAQmAjwAHCwEAASMDAQEFXQAQAAAMgMoKAepp1GgAAA=="
    ),
    "times": (
        "N3q8ryccAARkJ4DmEQEAAAAAAAAiAAAAAAAAAO1bIAcANBlJ7o3pXm1RLwAAAH+2G+AAB8emfSSjruzp/gpLUf8y8eJzxscE3PjSY9mrERa289YsEyaUaZUo"
        "ShZ8lTMSq7GlM6D/qkUz6vVlBmmBP5jeoAAAdAP/4AvsmyoE/Mn1oAAAAIEzB65Pn0RqTc+Zzt/nNNUYfR/uas4+i4H0Jrd4fjIW63XXOl2fewu9yqUisG1j"
        "fxlXSANldvX/01Khg7QHN8cZ5p7JbjotCdQuAw7AncRvBi6P1llkB5dskztU8xupewALRYOThro4gy0eX+8uNC94BHmO4gEmjfoXCi75yfhGUSsHBloB0FUi"
        "xkhEB8X0fsdcGnGu6GuzEfBy8QJQTqm6NA5wznlqPSsAAAAXBmMBCYCuAAcLAQABIwMBAQVdABAAAAyBSgoBsVCmPgAA"
    ),
}
MADE = {name: base64.b64decode(text) for name, text in _MADE.items()}
"""By how they were made, ``7z a -m0=…``; ``pw``: with a password; ``he``: its list, too; ``times``: all times, not solid."""
READ = ("arm64", "bcj", "bzip2", "copy", "deflate", "delta", "ppmd", "solid", "times")
"""Those that are read."""
