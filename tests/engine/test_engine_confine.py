"""A worker that was taken over gets nowhere: no network, no file, no program, no other process; and it works none the worse."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from engine_support import Silent, coverage, files, is_running, problems, profile_with, run_case, until

from triage.case.store import Case
from triage.engine import confine, process, seccomp
from triage.engine.local import LocalEngine
from triage.engine.session import Session
from triage.priority.profile import Limits

if TYPE_CHECKING:
    from collections.abc import Iterator

ATTEMPTS = Path(__file__).with_name("escape_attempts.py")
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="Linux only")
KNOWN = pytest.mark.skipif(sys.platform != "linux" or platform.machine() not in seccomp.MACHINES, reason="no filter for this processor")
NEEDS_ROOT = {"spy"}
REFUSED = {"EPERM", "EACCES", "ENOSYS"}


def prey(folder: Path) -> Path:
    folder.mkdir()
    (folder / "victim").write_text("whole")
    (folder / "victim").chmod(0o640)
    os.utime(folder / "victim", ns=(5, 5))
    (folder / "hollow").mkdir()
    return folder


def state_of(folder: Path) -> dict[str, tuple[int, int, int]]:
    return {p.name: (p.stat().st_mode, p.stat().st_mtime_ns, p.stat().st_ctime_ns) for p in [folder, *folder.iterdir()]}


@pytest.fixture(scope="module")
def held(small_image: Path) -> list[str]:
    with Session() as session:
        return session.held()


@pytest.fixture(scope="module")
def caught(small_image: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path, Path]:
    """What the analyzer says that got through from a real worker, the folder it went for, and the case."""
    place = tmp_path_factory.mktemp("escape")
    folder = prey(place / "prey")
    before = state_of(folder)
    profile = profile_with()
    profile = dataclasses.replace(profile, plugins={"escape_attempts": {"folder": str(folder), "only": "FILE05"}})
    assert run_case(small_image, place / "case", profile=profile, plugin_paths=(ATTEMPTS,)).complete
    assert state_of(folder) == before
    with Case.open(place / "case") as opened:
        assert [p["detail"] for p in opened.problems() if p["stage"] in ("plugin", "content")] == []
        [finding] = opened.findings()
    return finding["data"], folder, place / "case"


@LINUX
def test_all_that_is_tried_works_where_nothing_is_confined(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, ATTEMPTS, prey(tmp_path / "prey")], capture_output=True, check=True, timeout=60)
    said = json.loads(done.stdout)
    open_to_all = {n: how for n, how in said["tried"].items() if n not in NEEDS_ROOT or os.getuid() == 0}
    assert len(open_to_all) > 25
    assert set(open_to_all.values()) == {"worked"}, open_to_all
    assert set(said["allowed"].values()) == {"worked"}
    assert not (tmp_path / "prey" / "victim").exists()


@KNOWN
def test_no_way_out_is_open_from_a_worker(caught: tuple[dict[str, Any], Path, Path], held: list[str]) -> None:
    said, folder, _ = caught
    tried = dict(said["tried"])
    if not any("landlock" in h for h in held):
        tried.pop("spy")  # reading a parent's memory is Landlock's to forbid
    assert len(tried) > 25
    assert set(tried.values()) <= REFUSED, tried
    assert sorted(p.name for p in folder.iterdir()) == ["hollow", "victim"]
    assert (folder / "victim").read_text() == "whole"


@KNOWN
def test_every_call_of_the_table_is_denied(caught: tuple[dict[str, Any], Path, Path]) -> None:
    swept = caught[0]["swept"]
    assert set(swept) == set(seccomp.denied(platform.machine()))
    assert set(swept.values()) == {"EPERM"}, swept


@LINUX
def test_what_a_worker_needs_it_can_do(caught: tuple[dict[str, Any], Path, Path]) -> None:
    assert set(caught[0]["allowed"].values()) == {"worked"}
    assert [p for p in problems(caught[2]) if p["stage"] != "filesystem"] == []
    assert {r["outcome"] for r in files(caught[2]).values() if r["kind"] == "file"} == {"done"}


@pytest.mark.parametrize("machine", sorted(seccomp.MACHINES))
def test_the_numbers_are_those_of_the_kernels_headers(machine: str) -> None:
    header = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h" if machine == "x86_64" else "/usr/include/asm-generic/unistd.h")
    if not header.is_file():
        pytest.skip("no kernel headers here")
    known = {n: int(v) for n, v in re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", header.read_text(encoding="ascii"))}
    ours = seccomp.denied(machine)
    assert len(ours) > 100
    assert not {n: v for n, v in ours.items() if n in known and known[n] != v}
    assert set(ours) - set(known) <= {"fchmodat2"}, "younger than these headers"
    column = seccomp.MACHINES[machine].column
    for name in ("open", "openat", "clone", "prctl", "prlimit64", "ioctl", "kill", "tkill", "tgkill"):
        number = getattr(seccomp, f"_{name.upper()}")[column]
        assert number == known.get(name, -1), name
    assert {known[n] for n in ("clone3", "openat2")} == {pair[column] for pair in seccomp._ABSENT}


class Judge:
    """The kernel's interpreter of classic BPF, as far as the filter needs it."""

    def __init__(self, machine: str, pid: int) -> None:
        code = seccomp.program(machine, pid)
        self.steps = [(int.from_bytes(code[n : n + 2], sys.byteorder), code[n + 2], code[n + 3],
                       int.from_bytes(code[n + 4 : n + 8], sys.byteorder)) for n in range(0, len(code), 8)]

    def __call__(self, arch: int, number: int, *arguments: int) -> int:
        data = number.to_bytes(4, "little") + arch.to_bytes(4, "little") + bytes(8)
        data += b"".join((a & (1 << 64) - 1).to_bytes(8, "little") for a in (*arguments, *(0,) * (6 - len(arguments))))
        at = value = 0
        for _ in range(len(self.steps)):
            operation, then, otherwise, operand = self.steps[at]
            if operation == 0x06:
                return operand
            if operation == 0x20:
                value = int.from_bytes(data[operand : operand + 4], "little")
                at += 1
                continue
            holds = {0x15: value == operand, 0x25: value > operand, 0x45: bool(value & operand)}[operation]
            at += 1 + (then if holds else otherwise)
        raise AssertionError("the filter does not end")


ALLOW, EPERM, ENOSYS, KILLED = 0x7FFF0000, 0x00050001, 0x00050026, 0x80000000


@pytest.mark.parametrize("machine", sorted(seccomp.MACHINES))
def test_the_filter_judges_arguments(machine: str) -> None:
    column, arch = seccomp.MACHINES[machine]
    judge = Judge(machine, 77)
    assert len(judge.steps) < 4096  # BPF_MAXINSNS
    openat, clone, kill = seccomp._OPENAT[column], seccomp._CLONE[column], seccomp._KILL[column]
    folder = (1 << 64) - 100  # AT_FDCWD
    for flags, verdict in [(0, ALLOW), (os.O_RDONLY | 0o2000000, ALLOW), (1, EPERM), (2, EPERM), (3, EPERM), (0o100, EPERM),
                           (0o1000, EPERM), (0o20200000, EPERM), (0o10000000, ALLOW)]:
        assert judge(arch, openat, folder, 0, flags) == verdict, oct(flags)
        if seccomp._OPEN[column] >= 0:
            assert judge(arch, seccomp._OPEN[column], 0, flags) == verdict
    assert judge(arch, clone, 0x3D0F00) == ALLOW  # a thread, as the C library makes one
    assert judge(arch, clone, 0x01200011) == EPERM  # a fork
    for call in (kill, seccomp._TKILL[column], seccomp._TGKILL[column]):
        assert judge(arch, call, 77, 9) == ALLOW
        assert judge(arch, call, 1, 9) == EPERM
        assert judge(arch, call, -1, 9) == EPERM
        assert judge(arch, call, 0, 9) == EPERM
    assert judge(arch, seccomp._PRCTL[column], 1, 0) == EPERM
    assert judge(arch, seccomp._PRCTL[column], 15, 0) == ALLOW
    assert judge(arch, seccomp._PRLIMIT64[column], 0, 7, 0, 1) == ALLOW
    assert judge(arch, seccomp._PRLIMIT64[column], 0, 7, 0x10, 0) == EPERM
    assert judge(arch, seccomp._PRLIMIT64[column], 0, 7, 1 << 40, 0) == EPERM
    for request in seccomp._ASKED:
        assert judge(arch, seccomp._IOCTL[column], 0, request) == ALLOW
    assert judge(arch, seccomp._IOCTL[column], 0, 0x5412) == 0x00050019  # TIOCSTI: ENOTTY
    for absent in (435, 437, seccomp.LAST + 1, 500, 0x3FFFFFFF, 0x40000000 + 41):
        assert judge(arch, absent) == ENOSYS
    assert judge(0x40000003, 1) == KILLED  # a call of 32 bits
    reading = {"x86_64": (0, 1, 3, 9, 12, 17, 202), "aarch64": (63, 64, 57, 222, 214, 67, 98)}[machine]
    assert {judge(arch, n) for n in reading} == {ALLOW}


@LINUX
def test_the_kernel_says_so_too(held: list[str]) -> None:
    with Session() as session:
        assert session.held() == held
        status = Path(f"/proc/{session._worker.pid}/status").read_text(encoding="ascii")
        limits = Path(f"/proc/{session._worker.pid}/limits").read_text(encoding="ascii")
    assert "NoNewPrivs:\t1" in status
    assert ("Seccomp:\t2" in status) == any("seccomp" in h for h in held)
    wanted = {"Max core file size": 0, "Max file size": 0, "Max open files": confine.OPEN_FILES, "Max address space": Limits().memory}
    for name, value in wanted.items():
        found = re.search(rf"^{name} +(\d+) +(\d+)", limits, re.MULTILINE)
        assert found, name
        assert {int(found[1]), int(found[2])} == {value}, name


@LINUX
def test_a_worker_inherits_nothing(small_image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Descriptors that the parent left open for all, secrets in its environment, a module in its folder: none gets through."""
    (tmp_path / "secret").write_text("secret")
    extra = [os.open(tmp_path / "secret", os.O_RDWR) for _ in range(5)]
    try:
        for descriptor in extra:
            os.set_inheritable(descriptor, True)
        monkeypatch.setenv("SECRET_TOKEN", "secret")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        monkeypatch.setenv("PYTHONSTARTUP", str(tmp_path / "json.py"))
        (tmp_path / "json.py").write_text("raise SystemExit(9)")
        monkeypatch.chdir(tmp_path)
        with Session() as session:
            session.held()
            pid = session._worker.pid
            opened = {int(p.name): str(p.readlink()) for p in Path(f"/proc/{pid}/fd").iterdir()}
            environment = dict(e.split("=", 1) for e in Path(f"/proc/{pid}/environ").read_text().split("\0") if e)
            words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
            session.open(small_image)
            after = [str(p.readlink()) for p in Path(f"/proc/{pid}/fd").iterdir()]
    finally:
        for descriptor in extra:
            os.close(descriptor)
    assert {n: re.sub(r":.*", "", name) for n, name in opened.items() if n < 3} == {0: "pipe", 1: "pipe", 2: "/dev/null"}
    assert all("triage-slot" in name or "(deleted)" in name for n, name in opened.items() if n >= 3)
    assert len(opened) == 4
    assert not [name for name in after if "secret" in name]
    memory = {"MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"}
    ours = {"TZ", "LC_ALL", "HOME", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", *memory}
    assert set(environment) <= {*ours, "LD_LIBRARY_PATH", "TRIAGE_TEST_HOOK"}
    assert environment["HOME"] == "/nonexistent"
    assert words[1:3] == ["-I", "-B"]


@LINUX
def test_a_worker_whose_parent_is_gone_does_not_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process.os, "getpid", lambda: 1)
    with Session() as session:
        assert until(lambda: not is_running(session._worker.pid))
        assert session._worker.ended() == 0


@KNOWN
@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT])
def test_a_confined_worker_can_still_die(number: int, small_image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hook = {signal.SIGSEGV: "crash", signal.SIGABRT: "abort"}[signal.Signals(number)]
    monkeypatch.setenv("TRIAGE_TEST_HOOK", f"{hook}=FILE05")
    run_case(small_image, tmp_path / "case")
    assert f"signal {int(number)}" in files(tmp_path / "case")["vol1/FILE05.TXT"]["outcome_reason"]


@LINUX
def test_memory_that_no_limit_of_the_system_holds_is_watched(
    small_image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_ENVIRONMENT", {**process._ENVIRONMENT, "TRIAGE_TEST_HOOK": "grow=FILE05"})
    real = process.WorkerProcess.__init__

    def unlimited(self: process.WorkerProcess, events: Any, settings: dict[str, Any]) -> None:
        real(self, events, {**settings, "memory": 0})

    monkeypatch.setattr(process.WorkerProcess, "__init__", unlimited)
    case = tmp_path / "case"
    assert run_case(small_image, case, profile=profile_with(memory=300 << 20)).complete
    row = files(case)["vol1/FILE05.TXT"]
    assert row["outcome"] == "crashed"
    assert "memory" in row["outcome_reason"]
    assert coverage(case)["items"]["crashed"] == 1
    assert [p["path"] for p in problems(case) if p["stage"] != "filesystem"] == ["vol1/FILE05.TXT"]


@pytest.fixture
def engine() -> Iterator[LocalEngine]:
    found = LocalEngine(Limits(), {"memory": 0}, 1)
    yield found
    found.close()


def test_what_holds_the_workers_is_in_the_log(small_image: Path, tmp_path: Path, held: list[str]) -> None:
    run_case(small_image, tmp_path / "case")
    [start] = [json.loads(line) for line in (tmp_path / "case" / "audit.jsonl").read_bytes().splitlines() if b'"event":"start"' in line]
    assert start["data"]["workers"] == held
    assert Silent().stages == []
    if sys.platform == "linux":
        assert any("limit" in h for h in held)
