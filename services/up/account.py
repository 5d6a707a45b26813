"""The unprivileged account that PostgreSQL runs under when Steward runs as root, which PostgreSQL refuses to."""

import fcntl
import os
import pwd
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

NAME = "steward"

READS_AND_WRITES = 'test -x "$1" && test -w "$2"'


@dataclass(frozen=True)
class Account:
    """A system user without password, home or shell."""

    uid: int
    gid: int

    @classmethod
    def provide(cls) -> Self:
        """The account, created if the machine lacks it; safe to call from several processes at once.

        Raises ``OSError`` if ``useradd`` can't create it.
        """
        with Path("/etc/passwd").open() as users:
            fcntl.flock(users, fcntl.LOCK_EX)
            try:
                entry = pwd.getpwnam(NAME)
            except KeyError:
                add_user(NAME)
                entry = pwd.getpwnam(NAME)
        return cls(entry.pw_uid, entry.pw_gid)

    def own(self, path: Path) -> None:
        """Makes the account the owner of ``path``."""
        os.chown(path, self.uid, self.gid)

    def command(self, program: Path, arguments: Sequence[str], *, writes: Path) -> list[str]:
        """The command line that runs ``program`` under the account.

        Where a private folder above ``program`` or ``writes`` would stop it, for example /root, the process keeps the
        one capability that passes such folders, rather than having their permissions opened to everybody.
        """
        drop = ["setpriv", f"--reuid={self.uid}", f"--regid={self.gid}", "--clear-groups"]
        reach = [*drop, "sh", "-c", READS_AND_WRITES, "sh", str(program), str(writes)]
        if subprocess.run(reach, cwd="/", check=False).returncode != 0:  # noqa: S603 -- our own paths
            drop += ["--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override"]
        return [*drop, str(program), *arguments]


def add_user(name: str) -> None:
    """Creates the system user ``name``; raises ``OSError`` with useradd's own words if it can't."""
    useradd = ["useradd", "--system", "--no-create-home", "--home-dir=/nonexistent", "--shell=/usr/sbin/nologin", name]
    done = subprocess.run(useradd, capture_output=True, text=True, check=False)  # noqa: S603 -- a fixed name
    if done.returncode != 0:
        raise OSError(f"the user {name} could not be created: {done.stderr.strip()}")
