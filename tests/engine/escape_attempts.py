"""An analyzer that has been taken over: for each item it tries to get out of its worker, and says which way was open.

``python escape_attempts.py FOLDER`` does the same in an ordinary process, so that the test can tell a wall from a wish.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def attempts(folder: Path) -> dict[str, Callable[[], Any]]:
    """Return what is tried; ``folder`` holds a file ``victim`` and an empty folder ``hollow``."""
    victim, new = folder / "victim", folder / "new"
    library = ctypes.CDLL(None, use_errno=True)

    def call(name: str, *arguments: Any) -> None:
        ctypes.set_errno(0)
        if getattr(library, name)(*arguments) < 0:
            raise OSError(ctypes.get_errno(), name)

    def fork() -> None:
        child = os.fork()
        if not child:
            os._exit(0)
        os.waitpid(child, 0)

    def limit() -> None:
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft - 1, hard))

    return {
        "tcp": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM).close(),
        "udp": lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).close(),
        "unix": lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).close(),
        "pair": lambda: [s.close() for s in socket.socketpair()],
        "write new": lambda: new.write_text("x"),
        "write old": lambda: victim.open("r+b").close(),
        "append": lambda: victim.open("ab").close(),
        "open and cut": lambda: os.close(os.open(victim, os.O_RDONLY | os.O_TRUNC)),
        "open and make": lambda: os.close(os.open(folder / "made", os.O_RDONLY | os.O_CREAT)),
        "nameless": lambda: os.close(os.open(folder, os.O_RDWR | os.O_TMPFILE)),
        "truncate": lambda: os.truncate(victim, 1),
        "mkdir": (folder / "made folder").mkdir,
        "symlink": lambda: (folder / "soft").symlink_to("victim"),
        "hard link": lambda: (folder / "hard").hardlink_to(victim),
        "fifo": lambda: os.mkfifo(folder / "fifo"),
        "chmod": lambda: victim.chmod(0o777),
        "chown": lambda: os.chown(victim, os.getuid(), os.getgid()),
        "utime": lambda: os.utime(victim, (1, 1)),
        "rename": lambda: victim.rename(folder / "renamed"),
        "rmdir": (folder / "hollow").rmdir,
        "unlink": lambda: next(p for p in folder.iterdir() if p.is_file()).unlink(),
        "program": lambda: subprocess.run(["/bin/sh", "-c", "true"], check=True),
        "spawn": lambda: os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0),
        "fork": fork,
        "signal": lambda: os.kill(os.getppid(), 0),
        "limit": limit,
        "outlive": lambda: call("prctl", 1, 0, 0, 0, 0),
        "personality": lambda: call("personality", 0x0040000),
        "spy": lambda: Path(f"/proc/{os.getppid()}/mem").open("rb").close(),
    }


def outcome(attempt: Callable[[], Any]) -> str:
    try:
        attempt()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    except ValueError as error:  # how Python says EPERM of a limit
        return "EPERM" if "not allowed" in str(error) else str(error)
    return "worked"


def allowed(folder: Path) -> dict[str, str]:
    """Do what a worker must still be able to do."""
    done = []
    thread = threading.Thread(target=lambda: done.append(1))
    tried: dict[str, Callable[[], Any]] = {
        "thread": lambda: (thread.start(), thread.join(), done[0]),
        "read": (folder / "victim").read_bytes,
        "list": lambda: list(folder.iterdir()),
        "import": lambda: __import__("decimal"),
        "itself": lambda: os.kill(os.getpid(), signal.SIGCONT),
    }
    return {name: outcome(attempt) for name, attempt in tried.items()}


def sweep(numbers: dict[str, int]) -> dict[str, str]:
    """Make each system call with arguments that mean nothing; only where a filter is in force, for some of them bite."""
    if "Seccomp:\t2" not in Path("/proc/self/status").read_text(encoding="ascii"):
        return {"filter": "none"}
    library = ctypes.CDLL(None, use_errno=True)
    answers = {}
    for name, number in numbers.items():
        ctypes.set_errno(0)
        answers[name] = errno.errorcode[ctypes.get_errno()] if library.syscall(number, -1, -1, -1, -1, -1, -1) < 0 else "worked"
    return answers


def report(folder: Path, numbers: dict[str, int]) -> dict[str, Any]:
    able = allowed(folder)
    return {"tried": {n: outcome(a) for n, a in attempts(folder).items()}, "allowed": able, "swept": sweep(numbers)}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(report(Path(sys.argv[1]), {})))
else:
    with contextlib.suppress(ImportError):
        from triage.plugin import Accepts, Finding, Item

        class Escape:
            name = "escape_attempts"
            version = "1"
            accepts = Accepts()

            @dataclass(frozen=True)
            class Options:
                folder: str = ""
                only: str = ""

            def __init__(self, options: Options) -> None:
                self._options = options

            def analyze(self, item: Item) -> Iterator[Finding]:
                if self._options.only in item.entry.name and self._options.only:
                    import platform

                    from triage.engine.seccomp import denied

                    yield item.finding("escape", "tried", report(Path(self._options.folder), denied(platform.machine())))

        PLUGIN = Escape
