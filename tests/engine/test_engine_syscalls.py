"""What the system saw of a whole run: evidence opened for reading only, no socket, no program but our own interpreter."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
TRACED = ("%network,%file,%process,ftruncate,fallocate,fchmod,fchown,futimesat,utimensat,mmap,copy_file_range,io_uring_setup,bpf,ptrace,"
          "kill,tkill,tgkill,memfd_create")
_LINE = re.compile(r"^(?P<pid>\d+) +(?P<call>\w+)\((?P<rest>.*)$")
_RESUMED = re.compile(r"^(?P<pid>\d+) +<\.\.\. (?P<call>\w+) resumed>(?P<rest>.*)$")
_UNFINISHED = " <unfinished ...>"
CHANGES = {"unlink", "unlinkat", "rename", "renameat", "renameat2", "mkdir", "mkdirat", "rmdir", "link", "linkat", "symlink", "symlinkat",
           "mknod", "mknodat", "chmod", "fchmodat", "chown", "lchown", "fchownat", "utime", "utimes", "utimensat", "futimesat", "truncate",
           "creat", "setxattr", "removexattr"}
NETWORK = {"socket", "socketpair", "connect", "bind", "listen", "accept", "accept4", "sendto", "sendmsg", "sendmmsg", "recvfrom", "recvmsg",
           "getsockname", "getpeername", "setsockopt", "getsockopt", "shutdown"}
pytestmark = pytest.mark.skipif(sys.platform != "linux" or not shutil.which("strace"), reason="needs strace")


class Call(NamedTuple):
    """A system call of the trace: who made it, which, and the text of its arguments and answer."""

    pid: int
    name: str
    rest: str

    @property
    def paths(self) -> list[str]:
        """What it names, each below the folder whose descriptor stands before it."""
        named = re.findall(r'(?:(?:\d+|AT_FDCWD)<([^>]*)>, )?"([^"]*)"', self.rest)
        return [path if path.startswith("/") else f"{folder}/{path}" for folder, path in named]

    @property
    def writes(self) -> bool:
        """Whether it opens something to be written, cut or made."""
        return self.name in ("open", "openat", "openat2") and bool(re.search(r"O_(WRONLY|RDWR|CREAT|TRUNC|APPEND|TMPFILE)", self.rest))


class Trace(NamedTuple):
    calls: list[Call]
    first: int
    image: Path
    case: Path
    temporary: Path


def parse(text: str) -> Iterator[Call]:
    """Yield the calls, those whole that another process's calls stand between."""
    begun: dict[tuple[str, str], str] = {}
    for line in text.splitlines():
        match, resumed = _LINE.match(line), _RESUMED.match(line)
        if match and line.endswith(_UNFINISHED):
            begun[match["pid"], match["call"]] = match["rest"].removesuffix(_UNFINISHED)
        elif match:
            yield Call(int(match["pid"]), match["call"], match["rest"])
        elif resumed:
            yield Call(int(resumed["pid"]), resumed["call"], begun.pop((resumed["pid"], resumed["call"]), "") + resumed["rest"])
    for (pid, name), rest in begun.items():
        yield Call(int(pid), name, rest)


@pytest.fixture(scope="module", params=["ntfs.E01", "split.001", "ext4.raw"])
def trace(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trace:
    """A run on a copy of a built-in image in a folder that nobody may write to."""
    place = tmp_path_factory.mktemp("strace")
    media, temporary, case = place / "media", place / "tmp", place / "case"
    media.mkdir()
    temporary.mkdir()
    name = str(request.param)
    for path in (ROOT / "tests" / "images").glob(f"{name[:-2]}[0-9][0-9]" if name[-1].isdigit() else name):
        shutil.copy(path, media)
        (media / path.name).chmod(0o400)
    media.chmod(0o500)
    (place / "list.txt").write_text("900150983cd24fb0d6963f7d28e17f72\n")
    before = {p.name: (hashlib.sha256(p.read_bytes()).digest(), p.stat()) for p in media.iterdir()}
    command = [sys.executable, "-m", "triage", "run", media / name, "--case", case, "--jobs", "2", "--verify", "-q",
               "--hashset", place / "list.txt"]
    log = place / "log"
    environment = {**os.environ, "TMPDIR": str(temporary), "PYTHONDONTWRITEBYTECODE": "1"}
    strace = ["strace", "-f", "-y", "-qq", "-s", "4096", "-o", log, "-e", f"trace={TRACED}"]
    done = subprocess.run([*strace, *command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)
    if "PTRACE_TRACEME" in done.stderr or "ptrace" in done.stderr:
        pytest.skip("tracing is not allowed here")
    assert done.returncode == 0, done.stderr
    assert (case / "report" / "index.html").is_file()
    for path in media.iterdir():
        digest, info = before[path.name]
        assert hashlib.sha256(path.read_bytes()).digest() == digest
        assert (path.stat().st_mtime_ns, path.stat().st_ctime_ns) == (info.st_mtime_ns, info.st_ctime_ns)
    assert set(before) == {p.name for p in media.iterdir()}
    calls = list(parse(log.read_text(encoding="utf-8", errors="replace")))
    assert len(calls) > 1000
    return Trace(calls, calls[0].pid, media / name, case, temporary)


def test_the_reader_of_traces_sees_what_there_is() -> None:
    calls = list(parse("""\
12 openat(AT_FDCWD</x>, "a/b", O_RDWR|O_CREAT|O_CLOEXEC, 0600) = 3</x/a/b>
12 socket(AF_UNIX, SOCK_STREAM, 0 <unfinished ...>
13 openat(AT_FDCWD</x>, "/c", O_RDONLY) = 4</c>
12 <... socket resumed>) = 5<UNIX:[1]>
13 unlinkat(4</f>, "g", 0) = 0
13 rename("/h", "/i" <unfinished ...>
12 +++ exited with 0 +++
12 --- SIGCHLD {si_signo=SIGCHLD} ---
"""))
    assert [(c.pid, c.name, c.writes) for c in calls] == [
        (12, "openat", True), (13, "openat", False), (12, "socket", False), (13, "unlinkat", False), (13, "rename", False)]
    assert [c.paths for c in calls] == [["/x/a/b"], ["/c"], [], ["/f/g"], ["/h", "/i"]]
    assert calls[2].rest == "AF_UNIX, SOCK_STREAM, 0) = 5<UNIX:[1]>"


def test_evidence_is_opened_for_reading_and_nothing_is_done_to_its_folder(trace: Trace) -> None:
    folder = str(trace.image.parent)
    ours = [c for c in trace.calls if any(p == folder or p.startswith(folder + "/") for p in c.paths)]
    opened = [c for c in ours if c.name == "openat"]
    assert len(opened) >= 3  # parent, and each worker
    assert not [c for c in ours if c.writes]
    assert not [c for c in ours if c.name in CHANGES]
    assert {c.name for c in ours} <= {"openat", "newfstatat", "stat", "lstat", "access", "faccessat2", "readlink", "execve", "statx",
                                      "getcwd", "readlinkat"}


def test_no_socket_is_made(trace: Trace) -> None:
    assert not [c for c in trace.calls if c.name in NETWORK]


def test_no_program_is_started_but_our_own_interpreter(trace: Trace) -> None:
    started = [c for c in trace.calls if c.name in ("execve", "execveat") and "ENOENT" not in c.rest]
    programs = [c.paths[0] for c in started]
    assert len(programs) == 3  # the command and two workers
    assert set(programs) == {sys.executable}
    assert sum('"-I", "-B"' in c.rest for c in started) == 2


def test_nothing_is_written_outside_the_case_and_the_temporary_folder(trace: Trace) -> None:
    allowed = (str(trace.case), str(trace.temporary))
    for call in trace.calls:
        if not (call.writes or call.name in CHANGES) or re.search(r"= -1 E", call.rest):
            continue
        assert call.paths, call
        for path in call.paths:
            assert path == "/dev/null" or path.startswith(allowed), call
    assert list(trace.temporary.iterdir()) == []


def test_workers_change_nothing_at_all(trace: Trace) -> None:
    workers = {c.pid for c in trace.calls if c.name == "execve" and '"-I", "-B"' in c.rest}
    assert len(workers) == 2
    began = False
    for call in trace.calls:
        if call.pid not in workers:
            continue
        began = True
        assert not call.writes, call
        assert call.name not in CHANGES | NETWORK | {"fork", "vfork", "ftruncate", "fallocate", "fchmod", "fchown", "ptrace", "bpf"}, call
        if call.name == "mmap" and "MAP_SHARED" in call.rest and "PROT_WRITE" in call.rest:  # the slot alone is shared, in memory
            assert "4096" in call.rest, call
    assert began
