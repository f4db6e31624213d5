"""The settings of the worker process, from `REELGRAPH_WORKER_*`. Built by `__main__` and passed on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "REELGRAPH_WORKER_"
Names = Annotated[tuple[str, ...], NoDecode]


class Timing(BaseSettings):
    """Durations of the claim protocol in seconds, before `time_scale`. Source: RELIABILITY 4.3, 4.4, 4.7, 4.9."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    time_scale: float = Field(default=1.0, gt=0, description="Factor on every duration below; tests use 0.1.")
    lease_s: float = Field(default=15.0, description="How long a claim lives without a renewal.")
    renew_s: float = Field(default=5.0, description="Pause between renewals of all live claims.")
    pull_s: float = Field(default=5.0, description="Pause between looks for ready runs without a doorbell.")
    stale_s: float = Field(default=30.0, description="Age at which a dispatched run may be pulled.")
    manifest_s: float = Field(default=5.0, description="Pause between refreshes of the manifest in Redis.")
    describe_s: float = Field(default=15.0, description="Pause between looks at what this machine can do.")
    models_s: float = Field(default=60.0, description="Pause between looks at the bucket `models`.")
    answer_grace_s: float = Field(default=1.0, description="How long a child may take to acknowledge a cancel.")
    cancel_grace_s: float = Field(default=10.0, description="How long a child that acknowledged may take to end.")
    drain_budget_s: float = Field(default=300.0, description="How long a draining worker lets running nodes finish.")
    watchdog_s: float = Field(default=60.0, description="Ready runs and a free slot without any claim: restart.")

    def scaled(self, name: str) -> float:
        """Return the named duration in real seconds."""
        return float(getattr(self, name)) * self.time_scale


class WorkerSettings(BaseSettings):
    """Everything a worker can be told."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    dsn: SecretStr = Field(description="Postgres, `postgresql://...`.")
    redis_url: SecretStr = Field(description="Redis or Valkey, `redis://...`; the worker also runs while it is down.")
    s3_endpoint: str = Field(description="`HOST:PORT` of the S3 server.")
    s3_access_key: SecretStr
    s3_secret_key: SecretStr
    s3_secure: bool = Field(default=False, description="Whether S3 speaks TLS.")
    queues: Names = Field(default=("cpu", "gpu"), description="Comma list of queues served.")
    slots: int = Field(default=2, ge=1, le=64, description="Tasks at a time; each slot owns one warm child.")
    devices: Names = Field(default=("cpu",), description="Comma list of devices; slot N uses device N modulo length.")
    gpu_uuid: str | None = Field(default=None, description="Shown on the worker list.")
    task_packages: Names = Field(default=("worker.tasks",), description="Comma list of packages with task modules.")
    work_dir: Path | None = Field(default=None, description="Scratch folder; default a fresh temporary one.")
    threads: int = Field(default=2, ge=1, description="OMP_NUM_THREADS of each child.")
    memory_gib: float | None = Field(default=None, description="Declared memory all slots may use; default 90 % of it.")
    child_rss_gib: float = Field(default=3.0, description="A child above this resident size is replaced.")
    child_tasks: int = Field(default=200, ge=1, description="A child is replaced after this many tasks.")
    timing: Timing = Field(default_factory=Timing)

    @field_validator("queues", "devices", "task_packages", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    def memory_budget_gib(self) -> float:
        """Return the memory that running tasks may declare in total."""
        if self.memory_gib is not None:
            return self.memory_gib
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        limit = Path("/sys/fs/cgroup/memory.max")
        if limit.is_file() and (text := limit.read_text().strip()).isdigit():
            total = min(total, int(text))
        return 0.9 * total / 2**30
