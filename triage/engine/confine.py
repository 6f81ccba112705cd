"""What a worker gives up for good before it opens evidence: files, memory, network, programs, other processes.

Each step is taken where the system has it; :func:`confine` says which were. None can be undone by the process, so whatever a
parser does with hostile bytes, it stays inside. Linux: limits, a seccomp filter, Landlock. macOS: limits, of which the one on memory is
not held there. Windows: none of them (a job object would be the way).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import signal
import struct
import sys

from triage.engine import seccomp

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_SYS_SECCOMP = {"x86_64": 317, "aarch64": 277}
_SET_MODE_FILTER, _FILTER_FLAG_TSYNC = 1, 1
_CREATE_RULESET, _RESTRICT_SELF = 444, 446
_RULESET_VERSION = 1

# linux/landlock.h: every right over files except reading them, listing folders and controlling devices (seccomp does that), by the
# version of the interface that brought it.
_EXECUTE, _WRITE_FILE = 1 << 0, 1 << 1
_REMOVE_AND_MAKE = sum(1 << bit for bit in range(4, 13))
_REFER, _TRUNCATE = 1 << 13, 1 << 14
_BIND_TCP, _CONNECT_TCP = 1 << 0, 1 << 1
_ABSTRACT_UNIX_SOCKET, _SIGNAL = 1 << 0, 1 << 1

OPEN_FILES = 4096
"""Descriptors that a worker may have: each segment of an image is one, and an E01 set may have thousands."""


def confine(memory: int) -> list[str]:
    """Bound this process and take its rights away; return what holds from now on, in words for the operator.

    ``memory`` is in bytes, 0 for no limit. Call it while there is one thread, before anything of the evidence is read.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    if sys.platform == "win32":
        return []
    held = _limits(memory)
    if sys.platform == "linux":
        library = ctypes.CDLL(None, use_errno=True)
        _call(library.prctl, _PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # die with the parent, however that ends
        if _call(library.prctl, _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0:
            # Landlock first: its calls are younger than the filter's table on old kernels, and the filter is the narrower door.
            held += _landlock(library) + _filter(library)
    return held


def _limits(memory: int) -> list[str]:
    import resource  # noqa: PLC0415 - POSIX only

    held = []
    _limit(resource.RLIMIT_CORE, 0)  # a core file would be a copy of evidence on the examiner's disk
    if _limit(resource.RLIMIT_FSIZE, 0):
        held.append("nothing written to files (limit)")
    _limit(resource.RLIMIT_NOFILE, OPEN_FILES)
    if memory and sys.platform != "darwin" and _limit(resource.RLIMIT_AS, memory):  # macOS does not hold it
        held.append(f"memory up to {memory >> 20} MiB (limit)")
    return held


def _limit(which: int, value: int) -> bool:
    import resource  # noqa: PLC0415

    _, hard = resource.getrlimit(which)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(which, (value, value))
        return True
    return False


def _filter(library: ctypes.CDLL) -> list[str]:
    """Hand the kernel the filter of :mod:`triage.engine.seccomp`."""
    machine = platform.machine()
    if machine not in seccomp.MACHINES or struct.calcsize("P") != 8 or sys.byteorder != "little":
        return []
    code = seccomp.program(machine, os.getpid())
    steps = ctypes.create_string_buffer(code, len(code))
    # struct sock_fprog (linux/filter.h): number of steps, and where they are.
    given = ctypes.create_string_buffer(struct.pack("@HP", len(code) // 8, ctypes.addressof(steps)))
    if _call(library.syscall, _SYS_SECCOMP[machine], _SET_MODE_FILTER, _FILTER_FLAG_TSYNC, ctypes.byref(given)) != 0:
        return []
    return ["no network, no new or changed files, no programs, no other processes (seccomp)"]


def _landlock(library: ctypes.CDLL) -> list[str]:
    """Give up writing, making, removing and executing files wherever they are; TCP and signals to others where the kernel can."""
    version = _call(library.syscall, _CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_RULESET_VERSION))
    if version < 1:
        return []
    files = _EXECUTE | _WRITE_FILE | _REMOVE_AND_MAKE | (_REFER if version >= 2 else 0) | (_TRUNCATE if version >= 3 else 0)
    network = _BIND_TCP | _CONNECT_TCP if version >= 4 else 0
    scoped = _ABSTRACT_UNIX_SOCKET | _SIGNAL if version >= 6 else 0
    # struct landlock_ruleset_attr: what is handled and allowed by no rule is denied. Older kernels know a shorter one.
    rules = struct.pack("=QQQ", files, network, scoped)[: 8 if version < 4 else 16 if version < 6 else 24]
    attributes = ctypes.create_string_buffer(rules, len(rules))
    descriptor = _call(library.syscall, _CREATE_RULESET, ctypes.byref(attributes), ctypes.c_size_t(len(rules)), ctypes.c_uint32(0))
    if descriptor < 0:
        return []
    try:
        if _call(library.syscall, _RESTRICT_SELF, ctypes.c_int(descriptor), ctypes.c_uint32(0)) != 0:
            return []
    finally:
        os.close(descriptor)
    return [f"reading only{', no TCP' if network else ''} (landlock {version})"]


def _call(function: ctypes._NamedFuncPointer, *arguments: object) -> int:
    """Call the C library; -1 for whatever it cannot do here."""
    try:
        return int(function(*(ctypes.c_long(a) if isinstance(a, int) else a for a in arguments)))
    except (OSError, AttributeError, ctypes.ArgumentError):  # pragma: no cover - another C library
        return -1
