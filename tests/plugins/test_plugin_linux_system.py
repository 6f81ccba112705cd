"""Files of Linux's: real records of logins, histories and logs; made ones of each kind; damage."""

from __future__ import annotations

import struct
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from real_samples import findings, item_of, mutants, never_fails, plaso_sample, problems, run

if TYPE_CHECKING:
    from triage.plugin import Finding, Item

HOME = "vol1/home/kim"
WTMP = "vol1/var/log/wtmp"


def said(data: str | bytes, path: str) -> list[Finding]:
    results = run("linux_system", item_of(data.encode() if isinstance(data, str) else data, path))
    assert problems(results) == []
    return findings(results)


def titles(data: str | bytes, path: str) -> list[str]:
    return [one.title for one in said(data, path)]


class TestRealSamples:
    def test_logins(self) -> None:
        found = said(plaso_sample("utmp"), WTMP)
        assert Counter(f.kind for f in found) == {"login": 6, "device-state": 1}
        assert found[0].data == {"time": "2013-12-13T14:45:09.688666Z", "system": "3.8.0-33-generic"}
        results = run("linux_system", item_of(plaso_sample("wtmp.1"), WTMP))
        (one,) = findings(results)
        assert (one.title, one.data["time"], one.data["address"]) == (
            "userA logged in on pts/32 from 10.10.122.1", "2011-12-01T17:36:38.432935Z", "10.10.122.1",
        )  # fmt: skip
        assert [p.message for p in problems(results)] == ["1 bytes at the end of a record of logins are no whole one"]

    @pytest.mark.parametrize(
        ("name", "when"), [("aarch64", "2026-07-03T14:57:58Z"), ("s390", "2026-07-04T05:00:25Z"), ("x86_64", "2026-07-03T14:58:29Z")]
    )
    def test_records_of_every_machine(self, name: str, when: str) -> None:
        found = said(plaso_sample(f"utmp_{name}"), WTMP)
        assert [(f.title, f.data["time"]) for f in found] == [("the computer was started", when), ("the computer was shut down", when)]

    def test_records_behind_broken_ones_are_found(self) -> None:
        results = run("linux_system", item_of(plaso_sample("utmp_corrupted"), WTMP))
        assert [(f.data["account"], f.data["time"]) for f in findings(results)] == [
            ("alice", "2023-11-14T22:30:00Z"), ("bob", "2023-11-14T22:46:40Z"),
        ]  # fmt: skip
        assert [p.message for p in problems(results)] == [
            "2 records of logins that make no sense",
            "50 bytes at the end of a record of logins are no whole one",
        ]

    def test_histories(self) -> None:
        bash = said(plaso_sample("bash_history"), f"{HOME}/.bash_history")
        assert [f.data["time"][:19] for f in bash] == [
            "2013-10-01T12:36:17", "2013-10-01T12:36:18", "2013-10-01T12:36:19", "2021-06-10T22:30:36",
        ]  # fmt: skip
        assert bash[3].data["command"] == 'binary argument1 "--params=\\\nparam1=foo,\nparam2=bar\n" argument2'
        late = said(plaso_sample("bash_history_desync"), f"{HOME}/.bash_history")
        assert ([f.data["command"] for f in late][:2], "time" in late[0].data) == (["/sbin/reboot", "/usr/lib/plaso"], False)
        zsh = said(plaso_sample("zsh_extended_history.txt"), f"{HOME}/.zsh_history")
        two_lines = "echo dfgdfg \\\n& touch " + "/".join(("", "tmp", "afile"))
        assert [f.data["command"] for f in zsh] == ["cd plaso", "ls", two_lines, "PYTHONPATH=. ./runtests.py"]
        fish = said(plaso_sample("fish_history"), f"{HOME}/.local/share/fish/fish_history")
        assert (len(fish), fish[-1].data["command"], fish[-1].data["time"]) == (10, "cd plaso", "2021-07-11T02:58:35Z")
        vim = said(plaso_sample(".viminfo"), f"{HOME}/.viminfo")
        assert Counter(f.kind for f in vim) == {"command": 4, "recent-file": 2}
        assert (vim[4].data["path"], vim[4].data["time"]) == ("~\\_vimrc", "2009-02-13T23:31:38Z")

    def test_programs(self) -> None:
        data = plaso_sample("apt_history.log")
        found = said(data, "vol1/var/log/apt/history.log")
        assert len(found) == sum(line.startswith((b"Install:", b"Upgrade:", b"Remove:", b"Purge:")) for line in data.split(b"\n")) == 10
        assert found[5].title == "installed: forensics-all and 428 more"
        assert (found[5].data["by"], found[5].data["time"], found[5].data["time_basis"]) == ("jxs (1005)", "2019-07-12T04:08:31", "local")
        assert titles(plaso_sample("dpkg.log"), "vol1/var/log/dpkg.log") == ["installed: base-passwd"]


def record(
    kind: int, seconds: int, user: str = "", terminal: str = "pts/0", host: str = "", *, order: str = "<", wide: bool = False
) -> bytes:
    form = order + "h2xi32s4s32s256shh" + ("qqq16s24x" if wide else "iii16s20x")
    address = bytes([10, 0, 0, 1]) + bytes(12) if host else bytes(16)
    return struct.pack(form, kind, 5, terminal.encode(), b"0", user.encode(), host.encode(), 0, 0, 0, seconds, 7, address)


T = 1_700_000_000
LOGINS = (
    record(2, T, "reboot", "~", "6.1.0") + record(7, T + 60, "kim", host="10.0.0.1") + record(8, T + 120)
    + record(7, T + 180, "lee") + record(1, T + 240, "shutdown", "~")
)  # fmt: skip


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("wide", [False, True])
def test_sessions_with_their_ends(order: str, *, wide: bool) -> None:
    rows = [
        (2, T, "reboot", "~", "6.1.0"),
        (7, T + 60, "kim", "pts/0", "10.0.0.1"),
        (8, T + 120),
        (7, T + 180, "lee"),
        (1, T + 240, "shutdown", "~"),
    ]
    found = said(b"".join(record(*row, order=order, wide=wide) for row in rows), WTMP)
    assert [f.title for f in found] == [
        "the computer was started", "kim logged in on pts/0 from 10.0.0.1", "lee logged in on pts/0", "the computer was shut down",
    ]  # fmt: skip
    assert (found[1].data["time"], found[1].data["end_time"], "end_time" in found[2].data) == (
        "2023-11-14T22:14:20.000007Z", "2023-11-14T22:15:20.000007Z", False,
    )  # fmt: skip


def test_failed_and_last_logins() -> None:
    (one,) = said(record(6, T, "root", "ssh:notty", "10.0.0.1"), "vol1/var/log/btmp")
    assert (one.title, one.data["failed"]) == ("a login of root failed from 10.0.0.1", True)
    last = bytes(292 * 1000) + struct.pack("<i32s256s", T, b"tty1", b"") + bytes(292)
    (one,) = said(last, "vol1/var/log/lastlog")
    assert (one.title, one.data["uid"], one.data["time"]) == (
        "the user with the number 1000 last logged in", "1000", "2023-11-14T22:13:20Z",
    )  # fmt: skip


def test_accounts_without_their_hashes() -> None:
    root, daemon, kim = said(
        "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1::/:/usr/sbin/nologin\nkim:x:1000:1000:Kim Lee,,,:/home/kim:/bin/zsh\nbroken\n",
        "vol1/etc/passwd",
    )
    assert ("system" in root.data, daemon.data["system"], kim.title, kim.data["uid"]) == (False, True, "the account kim (Kim Lee)", "1000")
    found = said(
        "root:!:1:0:99999:7:::\nkim:$6$salt$hash:19675:0:99999:7:::\nlee:!$6$a$b:19675:0:::::\nmia::19675:0:::::\n", "vol1/etc/shadow"
    )
    assert [f.title for f in found] == [
        "the account kim has a password", "the account lee has a password and is locked", "the account mia has no password",
    ]  # fmt: skip
    assert found[0].data == {"time": "2023-11-14T00:00:00Z", "account": "kim"}
    assert "hash" not in str([f.data for f in found])
    assert titles("sudo:x:27:kim,lee\nusers:x:100:mia\n", "vol1/etc/group") == ["may act as the administrator (sudo): kim, lee"]


def test_what_system_it_is() -> None:
    assert titles('NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12"\nID=debian\n', "vol1/etc/os-release") == [
        "the system is Debian GNU/Linux 12"
    ]
    assert titles("desk\n", "vol1/etc/hostname") == ["the computer is called: desk"]
    assert titles("Europe/Berlin\n", "vol1/etc/timezone") == ["the time zone: Europe/Berlin"]
    assert titles(b"TZif2" + bytes(60) + b"\nCET-1CEST,M3.5.0,M10.5.0/3\n", "vol1/etc/localtime") == [
        "the time zone's rule: CET-1CEST,M3.5.0,M10.5.0/3"
    ]
    data = "# a\nUUID=1 / ext4 defaults 0 1\nnas:/films /mnt/films nfs4 defaults 0 0\nproc /proc proc defaults 0 0\n"
    found = said(data, "vol1/etc/fstab")
    assert [(f.kind, f.title) for f in found] == [("device", "mounts UUID=1 at /"), ("network", "mounts nas:/films at /mnt/films")]
    (one,) = said("secret UUID=2 /media/key luks\n", "vol1/etc/crypttab")
    assert (one.kind, one.title, one.data["key_file"]) == (
        "encrypted", "an encrypted volume is opened at the start: UUID=2 as secret", "/media/key",
    )  # fmt: skip


def test_networks_and_devices() -> None:
    data = (
        f"[connection]\nid=Home\ntype=wifi\ntimestamp={T}\n[wifi]\nssid=72;111;109;101;\n[wifi-security]\nkey-mgmt=wpa-psk\npsk=secret99\n"
    )
    (one,) = said(data, "vol1/etc/NetworkManager/system-connections/Home.nmconnection")
    assert one.title == "knows the wireless network Home"
    assert one.data == {"time": "2023-11-14T22:13:20Z", "name": "Home", "type": "wifi", "protection": "wpa-psk"}
    (one,) = said(
        "[connection]\nid=Work\ntype=vpn\n[vpn]\ngateway=vpn.example\nuser=kim\n", "vol1/etc/NetworkManager/system-connections/Work"
    )
    assert (one.title, one.data["gateway"], one.data["account"]) == ("has the connection Work (vpn)", "vpn.example", "kim")
    key = "A" * 60
    data = f"desk,10.0.0.1 ssh-ed25519 {key}\ndesk,10.0.0.1 ssh-rsa {key}\n|1|abc=|def= ssh-rsa {key}\n# no\n"
    assert titles(data, f"{HOME}/.ssh/known_hosts") == [
        "knows the computer desk,10.0.0.1 by SSH", "knows 1 computers by SSH whose names are hashed (one a key)",
    ]  # fmt: skip
    assert titles(f'command="x" ssh-ed25519 {key} kim@desk\n', f"{HOME}/.ssh/authorized_keys") == [
        "whoever has the key of kim@desk may log in"
    ]
    (one,) = said("[General]\nName=Phone\n[LinkKey]\nKey=00FF\n", "vol1/var/lib/bluetooth/AA:BB:CC:DD:EE:FF/11:22:33:44:55:66/info")
    assert (one.title, "00FF" in str(one.data)) == ("a Bluetooth device was paired: Phone", False)


def test_programs_of_dpkg_and_pacman() -> None:
    data = (
        "Package: tor\nStatus: install ok installed\nVersion: 0.4\nDescription: a\n Package: no\n\n"
        "Package: old\nStatus: deinstall ok config-files\nVersion: 1\n\n"
    )
    assert titles(data, "vol1/var/lib/dpkg/status") == ["installed: tor", "was installed: old (deinstall ok config-files)"]
    data = "2024-01-02 03:04:05 remove tor:amd64 0.4 <none>\n2024-01-02 03:04:05 status installed x:amd64 1\n"
    (one,) = said(data, "vol1/var/log/dpkg.log.1")
    assert one.data == {"time": "2024-01-02T03:04:05", "time_basis": "local", "name": "tor", "action": "removed", "before": "0.4"}
    data = "[2024-01-02T03:04:05+0100] [ALPM] installed tor (0.4-1)\n[2013-01-02 03:04] removed old (1)\n[2024-01-02] x\n"
    new, old = said(data, "vol1/var/log/pacman.log")
    assert (new.title, new.data["time"], old.data["time"], old.data["time_basis"]) == (
        "installed: tor", "2024-01-02T02:04:05Z", "2013-01-02T03:04", "local",
    )  # fmt: skip


def test_other_histories() -> None:
    assert [f.data["command"] for f in said("ls\r\n\r\ncd a\r\n", f"{HOME}/.bash_history")] == ["ls", "cd a"]
    assert [f.data["command"] for f in said("_HiStOrY_V2_\nselect\\0401;\n", f"{HOME}/.mysql_history")] == ["select 1;"]
    assert [f.data["command"] for f in said("import os\n", f"{HOME}/.python_history")] == ["import os"]
    windows = "vol1/Users/kim/AppData/Roaming/Microsoft/Windows/PowerShell/PSReadLine/ConsoleHost_history.txt"
    assert [f.data["command"] for f in said("dir\r\nGet-Item `\r\n  a\r\n", windows)] == ["dir", "Get-Item \n  a"]
    (one,) = said(b": 1700000000:3;echo \x83\xe3\n", f"{HOME}/.zsh_history")  # a byte above 127 as two
    assert (one.data["seconds"], one.data["command"]) == (3, "echo \ufffd")
    found = titles('.less-history-file:\n.search\n"films\n.shell\n"ls\n', f"{HOME}/.lesshst")
    assert found == ["typed in less: /films", "typed in less: !ls"]
    assert titles("- cmd: a\\\\b\\nc\n  when: x\n", f"{HOME}/.local/share/fish/fish_history") == ["typed in fish: a\\b\\x0ac"]


QUIET = [
    ("#\n", "vol1/etc/fstab"), ("x\n", "vol1/etc/passwd"), ("[connection]\n", "vol1/etc/NetworkManager/system-connections/a"),
    ("# h\n", f"{HOME}/.ssh/known_hosts"), ("\n", f"{HOME}/.bash_history"), ("[General]\n", "vol1/var/lib/bluetooth/a/b/info"),
    ("\0" * 768, WTMP), ("\0" * 292, "vol1/var/log/lastlog"), ("x\n", "vol1/var/log/dpkg.log"), ("x\n", "vol1/etc/localtime"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "path"), QUIET, ids=lambda value: value[-20:].strip("\0\n") or "empty")
def test_files_that_say_nothing(data: str, path: str) -> None:
    assert run("linux_system", item_of(data.encode(), path)) == []


def test_what_is_no_record_of_logins_says_so() -> None:
    assert "cannot be read" in problems(run("linux_system", item_of(b"text " * 300, WTMP)))[0].message


def test_a_text_that_is_too_large_says_so() -> None:
    item = item_of(b"ls\n" * 100, f"{HOME}/.bash_history")
    item.size = 33 << 20
    assert "is not read" in problems(run("linux_system", item))[0].message


@pytest.mark.parametrize("path", [f"{HOME}/.zsh_history", f"{HOME}/.bash_history", "vol1/var/log/apt/history.log", f"{HOME}/.viminfo",
                                  f"{HOME}/.ssh/authorized_keys", "vol1/var/log/pacman.log", "vol1/var/lib/dpkg/status"])  # fmt: skip
@pytest.mark.parametrize(
    "line", [b"\\\n", b"a", b"Install: a (b), \n\n", b'|2,0,1700000000,,"', b"ssh-aa AAAAAAAAAAAAAAAAAAAAAAAA", b"\x83"]
)
def test_long_texts_take_time_that_grows_with_them_alone(path: str, line: bytes) -> None:
    began = time.process_time()
    run("linux_system", item_of(line * (200_000 // len(line)), path))
    assert time.process_time() - began < 2


DAMAGED = [
    (LOGINS, WTMP),
    (b"#1700000000\nls\n: 1700000000:1;x\\\ny\n", f"{HOME}/.zsh_history"),
    (b"Package: a\nStatus: install ok installed\n\n", "vol1/var/lib/dpkg/status"),
    (b"kim:x:1000:1:K:/h:/b\n", "vol1/etc/passwd"),
]


@pytest.mark.parametrize(("data", "path"), DAMAGED, ids=["logins", "history", "programs", "accounts"])
def test_damage_never_breaks_it(data: bytes, path: str) -> None:
    for mutant in mutants(data, 100):
        never_fails("linux_system", item_of(mutant, path))


def samples() -> list[Item]:
    return [item_of(LOGINS, WTMP), item_of(b"#1700000000\nls\n", f"{HOME}/.bash_history")]
