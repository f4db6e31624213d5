"""The parts of one API process, built at start and closed in reverse order. Handlers get them from here."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import structlog
from redis.asyncio import Redis

from control_api.caller import Caller
from control_api.conversations import Conversations
from control_api.hub import Hub
from control_api.jobs import Jobs
from control_api.manifests import LiveManifest
from control_api.metrics import Metrics
from control_api.objects import Objects
from control_api.planning_jobs import PlanningJobs
from control_api.reaper import reap_forever
from control_api.settings import ApiSettings
from control_api.statistics import FRESH_FOR_S, Statistics
from control_api.strategies import Strategies, open_strategies
from control_api.submission import Submission
from graphs.broker import DramatiqBroker
from graphs.bus import Bus
from graphs.checkpoints import Checkpoints, checkpoint_pool, postgres_saver
from graphs.children import ProcessChildren
from graphs.control import ControlNodes
from graphs.database import Database, open_pool
from graphs.dispatch import Dispatcher
from graphs.engine import Engine
from graphs.registry import discover
from graphs.scheduler import Scheduler
from graphs.sweeper import Sweeper
from graphs.template_registry import Templates, load_templates
from planner.meaning import similarity

log = structlog.get_logger()
POOL_SIZE = 12
STALE_S = 45.0
"""A dispatched run this old is rung for again; more than a worker's own `stale_s + pull_s`, which comes first."""


@dataclass(frozen=True)
class Platform:
    """What handlers may use."""

    settings: ApiSettings
    database: Database
    objects: Objects
    redis: Redis
    manifest: LiveManifest
    templates: Templates
    jobs: Jobs
    hub: Hub
    engine: Engine
    scheduler: Scheduler
    statistics: Statistics
    strategies: Strategies
    planning: PlanningJobs
    conversations: Conversations
    caller: Caller
    metrics: Metrics
    allowed_origins: frozenset[str]
    sockets: set[Any] = field(default_factory=set)
    submitting: asyncio.Lock = field(default_factory=asyncio.Lock)


@asynccontextmanager
async def open_platform(settings: ApiSettings) -> AsyncIterator[Platform]:
    """Connect, start the background tasks, and stop all of it in order."""
    boot = str(uuid4())
    async with AsyncExitStack() as stack:
        dsn = settings.dsn.get_secret_value()
        pool = await open_pool(dsn, name=f"reelgraph-api-{os.getpid()}", max_size=POOL_SIZE)
        stack.push_async_callback(_close_pool, pool)
        saver_pool = checkpoint_pool(dsn, runner=boot)
        await saver_pool.open()
        stack.push_async_callback(saver_pool.close)
        redis = Redis.from_url(settings.redis_url, socket_timeout=None, socket_connect_timeout=2, max_connections=64)
        stack.push_async_callback(redis.aclose)
        broker = DramatiqBroker(settings.redis_url)
        stack.callback(broker.close)
        children = ProcessChildren()
        stack.push_async_callback(children.stop)
        strategies = stack.enter_context(open_strategies(settings, children))

        database = Database(pool)
        objects = Objects(
            endpoint=settings.s3_endpoint,
            public_endpoint=settings.s3_public_endpoint,
            access_key=settings.s3_access_key,
            secret_key=settings.s3_secret_key.get_secret_value(),
            secure=settings.s3_secure,
        )
        templates = load_templates(settings.template_folder)
        for one in templates.refused:
            log.warning("template.refused", path=str(one.path), line=one.line, reason=one.reason)
        packages = [name for name in settings.node_packages.split(",") if name]
        nodes = discover("graphs.nodes", *packages)
        manifest = LiveManifest(redis, database, nodes)
        await manifest.refresh()
        similarity(["video"], ["image"])  # read the word vectors now: beside requests they would stall the event loop

        async def sent(ids: list[int]) -> None:
            await database.run("mark_sent", ids=ids)

        bus = Bus(redis, broker, sent=sent)
        dispatcher = Dispatcher(database, bus)
        await dispatcher.count_slots()
        control = ControlNodes(
            nodes,
            database,
            bus,
            children,
            boot=boot,
            lease_s=settings.lease_s,
            manifest=manifest.current,
            wake=lambda job_id: scheduler.wake(job_id),
        )
        engine = Engine(
            database,
            Checkpoints(postgres_saver(saver_pool)),
            bus,
            dispatcher,
            control,
            runner=boot,
            lease_s=settings.lease_s,
            queue_of=manifest.queue_of,
            capability_of=manifest.capability_of,
            started_slow=control.poke,
        )
        scheduler = Scheduler(engine.advance, woken=dispatcher.look)
        sweeper = Sweeper(
            database,
            bus,
            dispatcher,
            wake=scheduler.wake,
            period_s=max(0.1, settings.time_scale),
            stale_s=STALE_S * settings.time_scale,
        )
        planning = PlanningJobs(database, bus, boot=boot, lease_s=settings.lease_s, wake=scheduler.wake)

        def stop_slow_work(job_id: str) -> None:
            control.cancel(job_id)
            planning.cancel(job_id)

        jobs = Jobs(database, bus, wake=scheduler.wake, cancel_control=stop_slow_work, redis=redis)
        hub = Hub(redis, database, snapshot=jobs.snapshot)
        bus.listen(hub.receive)

        async def renew() -> None:
            while True:
                await asyncio.sleep(settings.lease_s / 3)
                with contextlib.suppress(Exception):
                    await control.renew()
                    await planning.renew()
                    if engine.live:
                        await database.all("renew_jobs", ids=list(engine.live), runner=boot, lease_s=settings.lease_s)

        tasks = [
            asyncio.create_task(work, name=name)
            for name, work in {
                "bus": bus.run(),
                "dispatch": dispatcher.run(),
                "scheduler": scheduler.run(),
                "wake-ups": scheduler.listen(redis),
                "sweeper": sweeper.run(),
                "control": control.run(),
                "manifest": manifest.run(),
                "hub": hub.run(),
                "leases": renew(),
                "reaper": reap_forever(objects, database),
            }.items()
        ]
        for task in tasks:
            task.add_done_callback(_report)
        stack.push_async_callback(_stop, tasks)
        gc.collect()
        gc.freeze()  # what was loaded so far stays: full collections would stall the event loop for 50 ms and more
        log.info("api.started", boot=boot, nodes=sorted(nodes.nodes))
        platform = Platform(
            settings=settings,
            database=database,
            objects=objects,
            redis=redis,
            manifest=manifest,
            templates=templates,
            jobs=jobs,
            hub=hub,
            engine=engine,
            scheduler=scheduler,
            statistics=Statistics(database, fresh_for_s=FRESH_FOR_S * settings.time_scale),
            strategies=strategies,
            planning=planning,
            conversations=Conversations(redis),
            caller=Caller(settings.api_key.get_secret_value() if settings.api_key else None),
            metrics=Metrics(),
            allowed_origins=settings.origins,
        )
        if strategies.has_model:  # else another process has one
            tasks.append(asyncio.create_task(planning.run(Submission(platform)), name="planning"))
            tasks[-1].add_done_callback(_report)
        yield platform


def _report(task: asyncio.Task[None]) -> None:
    """A background task never ends by itself: when one does, the process must not live on half dead."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("api.task_died", task=task.get_name(), error=repr(error))
        os._exit(70)


async def _stop(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.remove_done_callback(_report)
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _close_pool(pool: Any) -> None:
    try:
        async with asyncio.timeout(5):
            await pool.close()
    except TimeoutError:
        pool.terminate()
