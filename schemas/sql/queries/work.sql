-- The only statements that change a node run (RELIABILITY 4.3). Each is one atomic statement.
-- Lock order, everywhere: the job row first, then node runs. Events are numbered under the job row's lock.

-- name: claim_run^
-- A worker or the API's runner takes a run. No row: a duplicate, early or cancelled doorbell; forget it.
-- `checkpoint` is what an earlier claim kept, unless it was made of another input (edited params).
with j0 as (
    select id from job where id = :job_id and status in ('running', 'awaiting_approval') for update
), run as (
    update node_run r set status = 'running', epoch = r.epoch + 1, worker_boot = :boot, started_at = now(),
        lease_until = now() + make_interval(secs => :lease_s), progress = 0
    from j0
    where r.job_id = j0.id and r.node_path = :node_path
        and r.status in ('ready', 'dispatched') and r.not_before <= now() and r.queue = any(:queues)
    returning r.*
), j as (
    update job set last_seq = last_seq + 1 from run where job.id = run.job_id
    returning job.id, job.last_seq, job.plan_digest, job.owner_id, job.failures
), e as (
    insert into event (job_id, seq, type, node_path, body)
    select j.id, j.last_seq, 'node.running', run.node_path,
        jsonb_build_object('status', 'running', 'task', run.task, 'attempt', run.attempts + run.crashes + 1)
    from j, run
)
select run.job_id, run.node_path, run.node_id, run.task, run.epoch, run.attempts, run.crashes, run.max_attempts,
    run.timeout_s, run.input, encode(run.cache_key, 'hex') as cache_key, j.owner_id, j.plan_digest, j.failures, j.last_seq as seq,
    case when run.checkpoint ->> 'input' = encode(sha256(convert_to(run.input::text, 'UTF8')), 'hex')
        then run.checkpoint end as checkpoint,
    jsonb_build_object('status', 'running', 'task', run.task, 'attempt', run.attempts + run.crashes + 1) as body
from run, j;

-- name: renew_runs
-- Renew the leases of a process; a run missing from the answer is lost. `cancel`: stop it.
update node_run r set lease_until = now() + make_interval(secs => :lease_s),
    progress = greatest(r.progress, c.progress)
from unnest(:job_ids::uuid[], :node_paths::text[], :epochs::bigint[], :progress::float8[])
    as c(job_id, node_path, epoch, progress), job
where r.job_id = c.job_id and r.node_path = c.node_path and r.epoch = c.epoch and r.status = 'running'
    and job.id = r.job_id
returning r.job_id, r.node_path, r.epoch, job.cancel_requested_at is not null as cancel;

-- name: keep_checkpoint^
-- What a later claim of a live run goes on from; fenced by epoch. `was` is the key that it replaces. No row: the
-- claim is lost or over, and the object counts for nothing.
with r0 as (
    select job_id, node_path, checkpoint ->> 'key' as was from node_run
    where job_id = :job_id and node_path = :node_path and epoch = :epoch and status = 'running' for update
)
update node_run r set checkpoint = jsonb_build_object('key', :key::text, 'sha256', :sha256::text,
    'size_bytes', :size_bytes::bigint, 'step', :step::bigint,
    'input', encode(sha256(convert_to(r.input::text, 'UTF8')), 'hex'))
from r0 where r.job_id = r0.job_id and r.node_path = r0.node_path
returning r0.was;

-- name: commit_run^
-- A good end: result, artifacts, events and the wake-up in one statement, fenced by epoch. No row: fenced or
-- cancelled; delete your objects. `ready` and `dispatched` with an unchanged epoch are a lease that lapsed
-- without a new claim. :artifacts is a JSON list of artifact rows; :events a JSON list of {type, body}.
with j0 as (
    select id, tenant_id, owner_id from job
    where id = :job_id and status not in ('cancelling', 'cancelled', 'completed') for update
), run as (
    update node_run r set status = 'succeeded', result = :result, error = null, progress = 1, ended_at = now(),
        lease_until = null
    from j0
    where r.job_id = j0.id and r.node_path = :node_path and r.epoch = :epoch
        and r.status in ('running', 'ready', 'dispatched')
    returning r.job_id, r.node_path, r.node_id, r.task, r.cache_key
), cached as (
    insert into node_cache (owner_id, key, job_id, node_path)
    select j0.owner_id, run.cache_key, run.job_id, run.node_path from j0, run where run.cache_key is not null
    on conflict (owner_id, key) do update set job_id = excluded.job_id, node_path = excluded.node_path,
        created_at = now()
), a as (
    insert into artifact (id, tenant_id, owner_id, job_id, node_path, epoch, name, kind, role, media, size_bytes,
        sha256, object_key)
    select x.id, j0.tenant_id, j0.owner_id, j0.id, run.node_path, :epoch, x.name, x.kind, x.role, x.media,
        x.size_bytes, x.sha256, x.object_key
    from j0, run, jsonb_to_recordset(:artifacts::jsonb) as x(id uuid, name text, kind text, role text, media jsonb,
        size_bytes bigint, sha256 text, object_key text)
    on conflict (job_id, node_path, name) do update set id = excluded.id, epoch = excluded.epoch,
        kind = excluded.kind, role = excluded.role, media = excluded.media, size_bytes = excluded.size_bytes,
        sha256 = excluded.sha256, object_key = excluded.object_key
    returning id, kind, role
), j as (
    update job set wake = wake + 1, last_seq = last_seq + jsonb_array_length(:events::jsonb)
    from run where job.id = run.job_id returning job.id, job.last_seq
), trained as (
    update profile p set
        lora_id = coalesce((select id from a where kind = 'lora' and role = 'output' limit 1), p.lora_id),
        voice_id = coalesce((select id from a where kind = 'voice' and role = 'output' limit 1), p.voice_id)
    from run, j0
    where run.task in ('train_lora', 'train_voice') and p.owner_id = j0.owner_id
        and p.id::text = (:result::jsonb #>> '{profile,id}')
), e as (
    insert into event (job_id, seq, type, node_path, body)
    select j.id, j.last_seq - jsonb_array_length(:events::jsonb) + x.ord, x.value ->> 'type', run.node_path,
        x.value -> 'body'
    from j, run, jsonb_array_elements(:events::jsonb) with ordinality as x(value, ord)
    returning 1
)
select j.last_seq as seq from j;

-- name: fail_run^
-- A bad end: back to `ready` after :delay_s, or parked as `failed` when it is null. Partial artifacts stay. It lets
-- go of the claim (`worker_boot`), so that saying it twice, after a lost reply, counts once.
with j0 as (
    select id, tenant_id, owner_id from job
    where id = :job_id and status not in ('cancelling', 'cancelled', 'completed') for update
), run as (
    update node_run r set
        status = case when :delay_s::float8 is null then 'failed' else 'ready' end,
        attempts = r.attempts + 1, error = :error, lease_until = null, worker_boot = null,
        not_before = now() + make_interval(secs => coalesce(:delay_s::float8, 0)),
        ended_at = case when :delay_s::float8 is null then now() end
    from j0
    where r.job_id = j0.id and r.node_path = :node_path and r.epoch = :epoch
        and r.status in ('running', 'ready', 'dispatched') and r.worker_boot is not null
    returning r.job_id, r.node_path
), a as (
    insert into artifact (id, tenant_id, owner_id, job_id, node_path, epoch, name, kind, role, media, size_bytes,
        sha256, object_key)
    select x.id, j0.tenant_id, j0.owner_id, j0.id, run.node_path, :epoch, x.name, x.kind, x.role, x.media,
        x.size_bytes, x.sha256, x.object_key
    from j0, run, jsonb_to_recordset(:artifacts::jsonb) as x(id uuid, name text, kind text, role text, media jsonb,
        size_bytes bigint, sha256 text, object_key text)
    on conflict (job_id, node_path, name) do nothing
), j as (
    update job set wake = wake + 1, failures = failures + 1,
        last_seq = last_seq + jsonb_array_length(:events::jsonb)
    from run where job.id = run.job_id returning job.id, job.last_seq
), e as (
    insert into event (job_id, seq, type, node_path, body)
    select j.id, j.last_seq - jsonb_array_length(:events::jsonb) + x.ord, x.value ->> 'type', run.node_path,
        x.value -> 'body'
    from j, run, jsonb_array_elements(:events::jsonb) with ordinality as x(value, ord)
)
select j.last_seq as seq from j;

-- name: crash_run^
-- The child died under a live claim: count the crash; `ready` again after :delay_s, or `dead` when it is null.
with j0 as (
    select id from job where id = :job_id and status not in ('cancelling', 'cancelled', 'completed') for update
), run as (
    update node_run r set
        status = case when :delay_s::float8 is null then 'dead' else 'ready' end,
        crashes = r.crashes + 1, error = :error, lease_until = null,
        not_before = now() + make_interval(secs => coalesce(:delay_s::float8, 0)),
        ended_at = case when :delay_s::float8 is null then now() end
    from j0
    where r.job_id = j0.id and r.node_path = :node_path and r.epoch = :epoch and r.status = 'running'
    returning r.job_id, r.node_path
), j as (
    update job set wake = wake + 1, failures = failures + 1,
        last_seq = last_seq + jsonb_array_length(:events::jsonb)
    from run where job.id = run.job_id returning job.id, job.last_seq
), e as (
    insert into event (job_id, seq, type, node_path, body)
    select j.id, j.last_seq - jsonb_array_length(:events::jsonb) + x.ord, x.value ->> 'type', run.node_path,
        x.value -> 'body'
    from j, run, jsonb_array_elements(:events::jsonb) with ordinality as x(value, ord)
)
select j.last_seq as seq from j;

-- name: find_run^
-- What became of a run: after a refused or unanswered commit, whether it was ours (same epoch, `succeeded`); before
-- a claim, what it would load.
select status, epoch, task, input -> 'params' as params from node_run
where job_id = :job_id and node_path = :node_path;

-- name: stop_run^
-- The child of a cancelled job has stopped: end its run, nothing is published. :release gives a run of a
-- draining worker back as `ready` instead, without counting a crash.
with j0 as (
    select id from job where id = :job_id for update
), run as (
    update node_run r set status = case when :release then 'ready' else 'cancelled' end, lease_until = null,
        ended_at = case when :release then null else now() end
    from j0
    where r.job_id = j0.id and r.node_path = :node_path and r.epoch = :epoch and r.status = 'running'
    returning r.job_id, r.node_path
), j as (
    update job set wake = wake + 1, last_seq = last_seq + 1 from run where job.id = run.job_id
    returning job.id, job.last_seq
), e as (
    insert into event (job_id, seq, type, node_path, body)
    select j.id, j.last_seq, case when :release then 'node.ready' else 'node.cancelled' end, run.node_path,
        jsonb_build_object('status', case when :release then 'ready' else 'cancelled' end)
    from j, run
)
select j.last_seq as seq from j;

-- name: note_run^
-- Durable log lines of a live run, fenced by epoch. :events is a JSON list of {type, body}.
with j0 as (
    select id from job where id = :job_id for update
), run as (
    select r.job_id, r.node_path from node_run r, j0
    where r.job_id = j0.id and r.node_path = :node_path and r.epoch = :epoch and r.status = 'running'
), j as (
    update job set last_seq = last_seq + jsonb_array_length(:events::jsonb)
    from run where job.id = run.job_id returning job.id, job.last_seq
), e as (
    insert into event (job_id, seq, type, node_path, body)
    select j.id, j.last_seq - jsonb_array_length(:events::jsonb) + x.ord, x.value ->> 'type', run.node_path,
        x.value -> 'body'
    from j, run, jsonb_array_elements(:events::jsonb) with ordinality as x(value, ord)
)
select j.last_seq as seq from j;

-- name: ready_runs
-- Pull mode: what a free worker may claim without a doorbell, in fair order.
select r.job_id, r.node_path from node_run r join job on job.id = r.job_id
where r.status in ('ready', 'dispatched') and r.queue = any(:queues) and r.not_before <= now()
    and (r.status = 'ready' or r.dispatched_at < now() - make_interval(secs => :stale_s))
    and job.status in ('running', 'awaiting_approval')
order by r.priority, r.vt, r.created_at
limit :count;

-- name: register_worker!
insert into worker (boot, host, gpu_uuid, queues, slots, manifest)
values (:boot, :host, :gpu_uuid, :queues, :slots, :manifest)
on conflict (boot) do update set seen_at = now(), manifest = excluded.manifest, draining = false;

-- name: drain_worker!
update worker set draining = true, seen_at = now() - interval '1 hour' where boot = :boot;
