"""Start a program that dies with its parent, optionally as another user.

It runs as a script (`python -I -S launcher.py SIGNAL PARENT UID GID COMMAND...`), so it
imports the standard library only.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAP_DAC_OVERRIDE = 1  # what containers usually leave to root
_CAP_DAC_READ_SEARCH = 2  # the narrower one: may look through folders, may not write
_CAPABILITY_VERSION_3 = 0x20080522
_SAME_USER = -1


def main(argv: list[str]) -> None:
    """Become `COMMAND`; never returns. Exits 1 if the parent is already gone."""
    death_signal, parent_pid, uid, gid = (int(word) for word in argv[1:5])
    command = argv[5:]
    libc = ctypes.CDLL(None, use_errno=True)
    if uid != _SAME_USER:
        _become(libc, uid=uid, gid=gid, paths=[word for word in command if word.startswith("/")])
    # The kernel forgets the death signal when the user changes, so it is set last.
    libc.prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if os.getppid() != parent_pid:
        sys.exit(1)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    os.execv(command[0], command)  # noqa: S606


def _become(libc: ctypes.CDLL, *, uid: int, gid: int, paths: list[str]) -> None:
    """Drop root for a user; keep the right to pass through folders when `paths` lie under closed ones (`/root`)."""
    closed = any(not _everyone_may_pass(Path(path)) for path in paths)
    libc.prctl(_PR_SET_KEEPCAPS, int(closed), 0, 0, 0)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if closed and not _keep(libc, _CAP_DAC_READ_SEARCH):
        _keep(libc, _CAP_DAC_OVERRIDE)


def _everyone_may_pass(path: Path) -> bool:
    return all(parent.stat().st_mode & 0o001 for parent in path.parents if parent.exists())


def _keep(libc: ctypes.CDLL, capability: int) -> bool:
    """Carry one capability over `exec` as ambient; return whether the kernel agreed. Source: capabilities(7)."""
    bit = 1 << capability
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)  # effective, permitted, inheritable, each low and high word
    if libc.capset(header, sets) != 0:
        return False
    return libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability, 0, 0) == 0


if __name__ == "__main__":
    main(sys.argv)
