"""Times as programs store them, to integer nanoseconds since 1970 in UTC; ``None`` for zero and for what no calendar has."""

from __future__ import annotations

from datetime import UTC, datetime

from triage.model import iso_time

_FIRST = int(datetime(1970, 1, 2, tzinfo=UTC).timestamp()) * 10**9
_LAST = int(datetime(2200, 1, 1, tzinfo=UTC).timestamp()) * 10**9
_FROM_1601, _FROM_1904, _FROM_2001 = -11_644_473_600, -2_082_844_800, 978_307_200


def _within(value: object, unit: int, epoch: int = 0) -> int | None:
    """Return a number of units since an epoch (seconds from 1970) as a time, if it is one between 1970 and 2200."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value or abs(value) > 1e19:  # noqa: PLR0124 - not a number
        return None
    nanoseconds = round(value * unit) + epoch * 10**9
    return nanoseconds if _FIRST <= nanoseconds < _LAST else None


def unix(value: object) -> int | None:
    """Seconds since 1970."""
    return _within(value, 10**9)


def unix_ms(value: object) -> int | None:
    """Milliseconds since 1970 (Java, JavaScript, Android)."""
    return _within(value, 10**6)


def unix_us(value: object) -> int | None:
    """Microseconds since 1970 (Mozilla's PRTime)."""
    return _within(value, 1000)


def webkit(value: object) -> int | None:
    """Microseconds since 1601 (Chromium)."""
    return _within(value, 1000, _FROM_1601)


def filetime(value: object) -> int | None:
    """Units of 100 nanoseconds since 1601 (Windows FILETIME)."""
    return _within(value, 100, _FROM_1601)


def cocoa(value: object) -> int | None:
    """Seconds since 2001 (Apple's CFAbsoluteTime); nanoseconds where the number is that large, as in iMessage from iOS 11 on."""
    if isinstance(value, int | float) and abs(value) > 1e14:
        return _within(value, 1, _FROM_2001)
    return _within(value, 10**9, _FROM_2001)


def hfs(value: object) -> int | None:
    """Seconds since 1904."""
    return _within(value, 10**9, _FROM_1904)


def any_unix(value: object) -> int | None:
    """Since 1970 in seconds, milli-, micro- or nanoseconds, whichever gives a time of this age: for columns of several makes."""
    if isinstance(value, int | float):
        for unit, most in ((10**9, 1e11), (10**6, 1e14), (1000, 1e17)):
            if abs(value) < most:
                return _within(value, unit)
        return _within(value, 1)
    return None


def iso(nanoseconds: int | None) -> str | None:
    """Return a time as findings have it: ISO 8601 in UTC."""
    return iso_time(nanoseconds)
