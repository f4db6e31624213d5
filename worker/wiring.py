"""Puts the worker process together from its settings, runs it until told to stop, and takes it apart again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
import uuid
from functools import partial
from pathlib import Path

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from worker.affinity import Neighbours
from worker.broker import Doorbells, Intake
from worker.ledger import Ledger
from worker.listen import Listener
from worker.machine import measured, vram_gib
from worker.manifest import Advertiser
from worker.memory import MemoryBudget
from worker.models.bucket import ModelBucket
from worker.models.mirror import keep_mirrored
from worker.objects import ObjectStore
from worker.publish import Publisher
from worker.settings import WorkerSettings
from worker.slot import ChildPolicy, Slot
from worker.supervisor import Supervisor

log = structlog.get_logger()
EXIT_STUCK = 75  # EX_TEMPFAIL: whoever started us should start us again
TAKE_TIMEOUT_S = 3600.0
_WATCH_S = 1.0


async def serve(settings: WorkerSettings) -> int:
    """Run one worker until SIGTERM or SIGINT; return its exit code.

    A second signal gives running work back at once instead of waiting for it.
    """
    loop = asyncio.get_running_loop()
    boot = str(uuid.uuid4())
    scratch = Path(settings.work_dir or tempfile.mkdtemp(prefix="reelgraph-worker-"))
    folder = scratch / boot
    folder.mkdir(parents=True, mode=0o700)
    timing = settings.timing
    redis = _redis(settings, socket_timeout_s=5.0)
    hearing = _redis(settings, socket_timeout_s=None)
    ledger = Ledger(settings.dsn.get_secret_value(), boot=boot, lease_s=timing.scaled("lease_s"))
    await ledger.open()
    publisher = Publisher(redis)
    advertiser = Advertiser(
        redis,
        ledger,
        boot=boot,
        queues=settings.queues,
        slots=settings.slots,
        gpu_uuid=settings.gpu_uuid,
        machine=partial(measured, folder, vram_gib=await asyncio.to_thread(vram_gib, settings.devices)),
    )
    store = ObjectStore(
        settings.s3_endpoint,
        access_key=settings.s3_access_key.get_secret_value(),
        secret_key=settings.s3_secret_key.get_secret_value(),
        secure=settings.s3_secure,
    )
    neighbours = Neighbours(redis, boot=boot)
    supervisor = Supervisor(
        ledger=ledger,
        store=store,
        publisher=publisher,
        advertiser=advertiser,
        neighbours=neighbours,
        slots=_slots(settings, folder=folder, advertiser=advertiser),
        memory=MemoryBudget(settings.memory_budget_gib()),
        queues=settings.queues,
        timing=timing,
        folder=folder,
    )
    bells = Doorbells(settings.queues, open_=lambda: supervisor.has_room)
    supervisor.on_room = bells.ring

    def take(job_id: str, node_path: str) -> None:
        asyncio.run_coroutine_threadsafe(supervisor.take(job_id, node_path), loop).result(TAKE_TIMEOUT_S)

    intake = Intake(settings.redis_url.get_secret_value(), queues=settings.queues, bells=bells, take=take)
    listener = Listener(
        hearing, queues=settings.queues, on_ring=bells.ring, on_cancel=supervisor.cancel, boot=boot,
        on_offer=supervisor.invite,
    )  # fmt: skip
    stopping = _stop_on_signals(supervisor)
    await supervisor.start()
    background = [
        asyncio.create_task(work, name=name)
        for name, work in {
            "publisher": publisher.run(),
            "advertiser": advertiser.run(every_s=timing.scaled("manifest_s")),
            "listener": listener.run(),
            "leases": supervisor.renew_forever(),
            "pull": supervisor.pull_forever(redis_is_up=lambda: listener.up),
            "describe": supervisor.describe_forever(),
            "affinity": supervisor.exchange_forever(),
        }.items()
    ]
    intake.start()
    keep_mirrored(ModelBucket(store.client), every_s=timing.scaled("models_s"))
    log.info("worker.started", boot=boot, slots=settings.slots, queues=settings.queues)
    try:
        code = await _watch(stopping, background, supervisor)
    finally:
        supervisor.draining = True
        bells.ring()
        await advertiser.withdraw()
        await neighbours.leave()
        await asyncio.gather(asyncio.to_thread(intake.stop), supervisor.drain())
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        await publisher.flush()
        await ledger.close()
        for client in (redis, hearing):
            with contextlib.suppress(Exception):
                await client.aclose()
        shutil.rmtree(folder if settings.work_dir else scratch, ignore_errors=True)
    log.info("worker.stopped", code=code)
    return code


async def _watch(stopping: asyncio.Event, background: list[asyncio.Task[None]], supervisor: Supervisor) -> int:
    """Wait for a signal; a background task that ended or a worker that claims nothing is a reason to restart."""
    while True:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), _WATCH_S)
            return 0
        for task in background:
            if task.done():
                error = None if task.cancelled() else task.exception()
                log.error("worker.part_ended", part=task.get_name(), error=repr(error))
                return 1
        if supervisor.stuck():
            log.error("worker.stuck")
            return EXIT_STUCK


def _stop_on_signals(supervisor: Supervisor) -> asyncio.Event:
    stopping = asyncio.Event()

    def stop() -> None:
        if stopping.is_set():
            supervisor.give_back()
        stopping.set()

    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop)
    return stopping


def _slots(settings: WorkerSettings, *, folder: Path, advertiser: Advertiser) -> list[Slot]:
    policy = ChildPolicy(
        packages=settings.task_packages,
        threads=settings.threads,
        max_tasks=settings.child_tasks,
        max_rss_bytes=int(settings.child_rss_gib * 2**30),
    )
    return [
        Slot(
            name=f"slot{number}",
            folder=folder / f"slot{number}",
            policy=policy,
            device=settings.devices[number % len(settings.devices)],
            on_described=advertiser.learn,
        )
        for number in range(settings.slots)
    ]


def _redis(settings: WorkerSettings, *, socket_timeout_s: float | None) -> Redis:
    return Redis.from_url(
        settings.redis_url.get_secret_value(),
        socket_timeout=socket_timeout_s,
        socket_connect_timeout=2.0,
        socket_keepalive=True,
        retry=Retry(NoBackoff(), 0),
    )


def hide_memory() -> None:
    """Keep other processes of this user, our own children too, from reading our environment in `/proc`."""
    import ctypes

    if os.name == "posix":
        ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE. Source: prctl(2)
