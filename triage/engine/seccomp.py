"""The system calls that a worker may no longer make: a filter that the Linux kernel holds it to for the rest of its life.

A worker reads evidence and answers through a pipe. Whoever takes it over by a hole in a parser gets no further: no network, no
other program, no other process, no file made, opened for writing, renamed or removed. What is not named here stays allowed,
for Python and libraries differ in what they use; calls younger than this table do not exist for a worker. Denied calls fail with
EPERM, so that a library which tries one reports an error.

The program is classic BPF over ``struct seccomp_data`` (linux/seccomp.h: nr, arch, instruction pointer, six arguments of 64 bits).
Numbers: arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h of Linux.
"""

from __future__ import annotations

import errno
import struct
from typing import NamedTuple

# name x86_64/aarch64, "-" where the processor has no such call. All of these are denied whatever their arguments.
_DENIED = """
socket 41/198 socketpair 53/199 connect 42/203 bind 49/200 listen 50/201 accept 43/202 accept4 288/242 sendto 44/206 sendmsg 46/211
sendmmsg 307/269 recvfrom 45/207 recvmsg 47/212 recvmmsg 299/243 setsockopt 54/208 shutdown 48/210

execve 59/221 execveat 322/281 fork 57/- vfork 58/-

ptrace 101/117 process_vm_readv 310/270 process_vm_writev 311/271 process_madvise 440/440 process_mrelease 448/448 kcmp 312/272
pidfd_open 434/434 pidfd_getfd 438/438 pidfd_send_signal 424/424 rt_sigqueueinfo 129/138 rt_tgsigqueueinfo 297/240

creat 85/- unlink 87/- unlinkat 263/35 rename 82/- renameat 264/38 renameat2 316/276 mkdir 83/- mkdirat 258/34 rmdir 84/- link 86/-
linkat 265/37 symlink 88/- symlinkat 266/36 mknod 133/- mknodat 259/33 truncate 76/45 ftruncate 77/46 fallocate 285/47
chmod 90/- fchmod 91/52 fchmodat 268/53 fchmodat2 452/452 chown 92/- lchown 94/- fchown 93/55 fchownat 260/54
utime 132/- utimes 235/- futimesat 261/- utimensat 280/88
setxattr 188/5 lsetxattr 189/6 fsetxattr 190/7 removexattr 197/14 lremovexattr 198/15 fremovexattr 199/16

mount 165/40 umount2 166/39 pivot_root 155/41 chroot 161/51 move_mount 429/429 open_tree 428/428 fsopen 430/430 fsconfig 431/431
fsmount 432/432 fspick 433/433 mount_setattr 442/442 swapon 167/224 swapoff 168/225 quotactl 179/60 quotactl_fd 443/443
open_by_handle_at 304/265 fanotify_init 300/262 unshare 272/97 setns 308/268

bpf 321/280 perf_event_open 298/241 io_uring_setup 425/425 io_uring_enter 426/426 io_uring_register 427/427 userfaultfd 323/282
keyctl 250/219 add_key 248/217 request_key 249/218 personality 135/92 memfd_secret 447/447 lookup_dcookie 212/18
shmget 29/194 shmat 30/196 shmctl 31/195 msgget 68/186 msgsnd 69/189 msgrcv 70/188 msgctl 71/187 semget 64/190 semop 65/193
semtimedop 220/192 semctl 66/191 mq_open 240/180 mq_unlink 241/181

init_module 175/105 finit_module 313/273 delete_module 176/106 kexec_load 246/104 kexec_file_load 320/294 reboot 169/142 acct 163/89
syslog 103/116 settimeofday 164/170 clock_settime 227/112 adjtimex 159/171 clock_adjtime 305/266 sethostname 170/161
setdomainname 171/162 iopl 172/- ioperm 173/- modify_ldt 154/- setrlimit 160/164 vhangup 153/58 uselib 134/-
"""
# Denied or not by what their arguments say; of clone3 and openat2 the filter cannot see them, and the C library does without both.
_OPEN, _OPENAT, _CLONE, _PRCTL, _PRLIMIT64, _IOCTL = (2, -1), (257, 56), (56, 220), (157, 167), (302, 261), (16, 29)
_KILL, _TKILL, _TGKILL = (62, 129), (200, 130), (234, 131)
_ABSENT = ((435, 435), (437, 437))  # clone3, openat2
LAST = 462
"""The youngest call that this table knows (mseal, Linux 6.10); the numbers after 423 are the same on every processor."""

# asm-generic/fcntl.h: O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_APPEND, __O_TMPFILE
_WRITING = 0o1 | 0o2 | 0o100 | 0o1000 | 0o2000 | 0o20000000
_CLONE_THREAD = 0x00010000
_PR_SET_PDEATHSIG = 1
# What a descriptor is asked for by a C library and by those who look for a medium's size, and nothing that writes, types into a
# terminal (TIOCSTI) or sends commands to a disk (SG_IO): TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX, TCGETS2, BLKROGET,
# BLKGETSIZE, BLKSSZGET, BLKPBSZGET, BLKGETSIZE64.
_ASKED = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451, 0x802C542A, 0x125E, 0x1260, 0x1268, 0x127B, 0x80081272)

# linux/bpf_common.h, linux/filter.h
_LOAD, _EQUAL, _GREATER, _ANY_BIT, _RETURN = 0x20, 0x15, 0x25, 0x45, 0x06
_ALLOW, _ERRNO, _KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000
_NR, _ARCH = 0, 4
_X32 = 0x3FFFFFFF


class Machine(NamedTuple):
    """A processor: its place in the tables, and the kernel's name for it (linux/audit.h)."""

    column: int
    arch: int


MACHINES = {"x86_64": Machine(0, 0xC000003E), "aarch64": Machine(1, 0xC00000B7)}


def denied(machine: str) -> dict[str, int]:
    """Return the calls that are denied whatever their arguments, with their numbers on this processor."""
    words = _DENIED.split()
    numbers = {name: pair.split("/")[MACHINES[machine].column] for name, pair in zip(words[::2], words[1::2], strict=True)}
    return {name: int(number) for name, number in numbers.items() if number != "-"}


def program(machine: str, pid: int) -> bytes:
    """Return the filter for a process with this id as an array of ``struct sock_filter``."""
    column, arch = MACHINES[machine]
    code = [
        # Of a call in another convention (32 bits on a processor of 64) the numbers mean something else.
        _step(_LOAD, _ARCH),
        _step(_EQUAL, arch, 1, 0),
        _step(_RETURN, _KILL_PROCESS),
        _step(_LOAD, _NR),
        _step(_GREATER, _X32, 0, 1),
        _step(_RETURN, _ERRNO | errno.ENOSYS),
        _step(_GREATER, LAST, 0, 1),
        _step(_RETURN, _ERRNO | errno.ENOSYS),
    ]

    def rule(call: tuple[int, int], *body: bytes) -> None:
        """Judge one call by steps that return on every path; what is not that call goes on behind them."""
        if call[column] >= 0:
            code.extend([_step(_EQUAL, call[column], 0, len(body)), *body])

    deny, allow = _step(_RETURN, _ERRNO | errno.EPERM), _step(_RETURN, _ALLOW)
    for number in denied(machine).values():
        code.extend([_step(_EQUAL, number, 0, 1), deny])
    for call in _ABSENT:
        rule(call, _step(_RETURN, _ERRNO | errno.ENOSYS))
    rule(_OPEN, _step(_LOAD, _argument(1)), _step(_ANY_BIT, _WRITING, 0, 1), deny, allow)
    rule(_OPENAT, _step(_LOAD, _argument(2)), _step(_ANY_BIT, _WRITING, 0, 1), deny, allow)
    rule(_CLONE, _step(_LOAD, _argument(0)), _step(_ANY_BIT, _CLONE_THREAD, 1, 0), deny, allow)
    for call in (_KILL, _TKILL, _TGKILL):  # a process may end itself: that is how a C library aborts
        rule(call, _step(_LOAD, _argument(0)), _step(_EQUAL, pid, 1, 0), deny, allow)
    rule(_PRCTL, _step(_LOAD, _argument(0)), _step(_EQUAL, _PR_SET_PDEATHSIG, 0, 1), deny, allow)
    rule(  # the C library asks for limits with it: no new ones
        _PRLIMIT64,
        _step(_LOAD, _argument(2)),
        _step(_EQUAL, 0, 0, 3),
        _step(_LOAD, _argument(2) + 4),
        _step(_EQUAL, 0, 0, 1),
        allow,
        deny,
    )
    asked = [_step(_EQUAL, number, len(_ASKED) - position, 0) for position, number in enumerate(_ASKED)]
    rule(_IOCTL, _step(_LOAD, _argument(1)), *asked, _step(_RETURN, _ERRNO | errno.ENOTTY), allow)
    code.append(allow)
    return b"".join(code)


def _step(operation: int, value: int, then: int = 0, otherwise: int = 0) -> bytes:
    """Return one ``struct sock_filter``: operation, steps to pass over when it holds and when not, and its operand."""
    return struct.pack("=HBBI", operation, then, otherwise, value)


def _argument(position: int) -> int:
    """Return where the low half of an argument lies in ``struct seccomp_data``; both processors are little-endian."""
    return 16 + 8 * position
