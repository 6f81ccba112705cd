"""libmagic, for what the signature table does not know. Slow (hundreds of microseconds an item) and optional.

pylibmagic, where installed, brings libmagic and its database; it must be imported before python-magic looks
for them.
"""

from __future__ import annotations

import contextlib
import ctypes.util
import importlib
import sys
from typing import TYPE_CHECKING, Any

from triage.content.catalog import CATEGORIES, TYPES, FileType

if TYPE_CHECKING:
    from collections.abc import Iterator

LOOKED_AT = 65536
"""libmagic is given at most this many first bytes."""

# Values from magic.h. What is not needed for a MIME type, or would unpack the buffer, is turned off.
_NO_CHECK_COMPRESS = 0x001000
_NO_CHECK_ENCODING = 0x200000
_NO_CHECK_ELF = 0x010000
_LIMITS = (
    (0, 15),  # MAGIC_PARAM_INDIR_MAX: depth of indirect rules
    (1, 64),  # MAGIC_PARAM_NAME_MAX: uses of named rules; python-magic sets the same
    (2, 128),
    (3, 128),
    (4, 64),  # ELF program headers, sections, notes
    (5, 8192),  # MAGIC_PARAM_REGEX_MAX: bytes a regular expression sees
    (6, LOOKED_AT),  # MAGIC_PARAM_BYTES_MAX
)
# TGA without its footer has no mark: libmagic takes tables of small numbers for it.
_KNOWS_NOTHING = frozenset({"application/octet-stream", "text/plain", "inode/x-empty", "inode/blockdevice", "image/x-tga", ""})
_BY_PREFIX = {
    "image": "picture",
    "video": "video",
    "audio": "audio",
    "text": "text",
    "message": "mail",
    "font": "system",
}
_BY_MIME = {kind.mime: kind for kind in reversed(TYPES.values())}


class Libmagic:
    """A handle on libmagic; never raises. Without the library it answers ``None``; ``reason`` says why."""

    available: bool
    reason: str
    version: str

    def __init__(self) -> None:
        self._handle: Any = None
        self.version = ""
        self.reason = ""
        try:
            with contextlib.suppress(ImportError):
                importlib.import_module("pylibmagic")
            with _no_search():
                library = importlib.import_module("magic")
            self._error: type[Exception] = library.MagicException
            self._handle = _open(library)
            self.version = _version(library)
        except Exception as error:
            self.reason = f"libmagic cannot be used: {type(error).__name__}: {error}"[:300]
        self.available = self._handle is not None

    def identify(self, head: bytes) -> FileType | None:
        """Return the type of the item that starts with ``head``; ``None`` when libmagic says only "data"."""
        if self._handle is None or not head:
            return None
        try:
            mime = str(self._handle.from_buffer(head[:LOOKED_AT]))
        except Exception:
            return None
        return _type_of(mime)


@contextlib.contextmanager
def _no_search() -> Iterator[None]:
    """Keep Linux' search for libraries from starting programs (ldconfig, gcc, ld): a worker may start none, and needs none.

    The loader looks where libraries are by itself.
    """
    if sys.platform != "linux":
        yield
        return
    search = ctypes.util.find_library
    ctypes.util.find_library = lambda name: f"lib{name}.so.1"
    try:
        yield
    finally:
        ctypes.util.find_library = search


def _open(library: Any) -> Any:
    handle = library.Magic(mime=True)
    with contextlib.suppress(Exception):  # limits came with 5.2x and 5.3x; older libraries have none
        library.magic_setflags(handle.cookie, handle.flags | _NO_CHECK_COMPRESS | _NO_CHECK_ELF | _NO_CHECK_ENCODING)
    for limit, value in _LIMITS:
        with contextlib.suppress(Exception):
            handle.setparam(limit, value)
    return handle


def _version(library: Any) -> str:
    number = int(library.version())
    return f"{number // 100}.{number % 100:02d}"


def _type_of(mime: str) -> FileType | None:
    mime = mime.partition(";")[0].strip().lower()[:100]
    if mime in _KNOWS_NOTHING or not mime.isascii() or not mime.isprintable() or mime.count("/") != 1:
        return None
    if mime in _BY_MIME:
        return _BY_MIME[mime]
    major, _, minor = mime.partition("/")
    category = _BY_PREFIX.get(major, "unknown")
    return FileType(
        minor.removeprefix("x-").removeprefix("vnd."),
        mime,
        category if category in CATEGORIES else "unknown",
        frozenset(),
    )
