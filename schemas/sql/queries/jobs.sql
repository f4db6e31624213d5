-- Jobs, their log, artifacts, approvals and profiles: the API's and the engine's statements.
-- Lock order as in work.sql: the job row first. Events are numbered under the job row's lock.

-- name: submit_job^
-- Accept a job, or return the one that this idempotency key made before (`fresh` false).
with j as (
    insert into job (id, tenant_id, owner_id, status, title, mode, variant, profile_id, idempotency_key, request,
        request_hash, plan, plan_digest, estimate, graph_version, priority, deadline_at, last_seq)
    values (:id, :tenant_id, :owner_id, :status, :title, :mode, :variant, :profile_id, :idempotency_key, :request,
        :request_hash, :plan, :plan_digest, :estimate, :graph_version, :priority,
        now() + make_interval(secs => :deadline_s), jsonb_array_length(:events::jsonb))
    on conflict (tenant_id, idempotency_key) do nothing
    returning id, status, request_hash, last_seq
), e as (
    insert into event (job_id, seq, type, body)
    select j.id, x.ord, x.value ->> 'type', x.value -> 'body'
    from j, jsonb_array_elements(:events::jsonb) with ordinality as x(value, ord)
)
select id, status, request_hash, last_seq, true as fresh from j
union all
select id, status, request_hash, last_seq, false from job
where tenant_id = :tenant_id and idempotency_key = :idempotency_key and not exists (select 1 from j);

-- name: job_of_key^
select id, status, request_hash from job where tenant_id = :tenant_id and idempotency_key = :key;

-- name: open_jobs$
select count(*) from job
where owner_id = :owner_id and status in ('queued', 'planning', 'running', 'awaiting_approval', 'cancelling');

-- name: jobs_to_advance
select id from job
where wake > woken and lease_until < now()
    and status in ('queued', 'running', 'awaiting_approval', 'cancelling')
order by priority, created_at limit :count;

-- name: take_job^
-- Take the job's lease for one advance; no row: nothing to do, or somebody else has it. The runs are read by a
-- second statement: its snapshot is newer than the `wake` that this one returns, so no outcome is missed.
update job set runner = :runner, epoch = epoch + 1,
    takeovers = takeovers + (lease_until > '-infinity' and runner is distinct from :runner)::int,
    lease_until = now() + make_interval(secs => :lease_s)
where id = :id and wake > woken and lease_until < now()
    and status in ('queued', 'running', 'awaiting_approval', 'cancelling')
returning id, owner_id, tenant_id, status, plan_digest, epoch, wake, priority, failures, graph_version,
    deadline_at < now() as overdue;

-- name: renew_jobs
update job set lease_until = now() + make_interval(secs => :lease_s)
where id = any(:ids::uuid[]) and runner = :runner and lease_until > '-infinity'
returning id;

-- name: take_planning^
-- Take the lease of one job that waits for its plan; no row: none does. It keeps the lease while it is planned.
update job set runner = :runner, epoch = epoch + 1,
    takeovers = takeovers + (lease_until > '-infinity' and runner is distinct from :runner)::int,
    lease_until = now() + make_interval(secs => :lease_s)
where id = (
    select id from job where status = 'planning' and wake > woken and lease_until < now()
    order by priority, created_at limit 1 for update skip locked
)
returning id, request, epoch, wake, takeovers;

-- name: renew_planning
-- Those that are missing from the answer were cancelled or are another's.
update job set lease_until = now() + make_interval(secs => :lease_s)
where id = any(:ids::uuid[]) and runner = :runner and status = 'planning' and lease_until > '-infinity'
returning id;

-- name: planned_job^
-- A job in `planning` has its plan and runs; the lease is let go, and the wake-up stays for the engine.
-- No row: the lease is another's, or a cancel came.
with j as (
    update job set status = 'running', plan = :plan, plan_digest = :plan_digest, estimate = :estimate,
        variant = :variant, profile_id = :profile_id, graph_version = :graph_version, lease_until = '-infinity',
        last_seq = last_seq + jsonb_array_length(:events::jsonb)
    where id = :id and runner = :runner and epoch = :epoch and status = 'planning'
    returning id, last_seq
), e as (
    insert into event (job_id, seq, type, body)
    select j.id, j.last_seq - jsonb_array_length(:events::jsonb) + x.ord, x.value ->> 'type', x.value -> 'body'
    from j, jsonb_array_elements(:events::jsonb) with ordinality as x(value, ord)
)
select last_seq as seq from j;

-- name: plan_of$
select plan from job where id = :id;

-- name: load_runs
-- All runs but those that the caller knows to have succeeded: they never change again.
select node_path, node_id, status, result, error, queue from node_run
where job_id = :id and node_path <> all(:settled::text[]) order by node_path;

-- name: create_runs^
-- Rows, outbox and events of newly ready nodes, in one statement, only while the lease is ours. Rows that exist
-- are left alone. :runs is a JSON list: {node_path, node_id, queue, task, task_version, status, priority,
-- max_attempts, timeout_s, input, input_hash, cache_key, vt, result, error, ended}; :events a JSON list {type, node,
-- body}; :artifacts are rows of results taken over from the node cache, which point at objects of an earlier job.
with j0 as (
    select id, tenant_id, owner_id, last_seq from job
    where id = :id and runner = :runner and epoch = :epoch
        and status in ('queued', 'running', 'awaiting_approval') for update
), r as (
    insert into node_run (job_id, node_path, node_id, tenant_id, owner_id, queue, task, task_version, status, priority,
        max_attempts, timeout_s, input, input_hash, cache_key, vt, result, error, dispatched_at, deliveries, started_at,
        ended_at, progress, epoch)
    select j0.id, x.node_path, x.node_id, j0.tenant_id, j0.owner_id, x.queue, x.task, x.task_version, x.status,
        x.priority, x.max_attempts, x.timeout_s, x.input, decode(x.input_hash, 'hex'), decode(x.cache_key, 'hex'), x.vt,
        x.result, x.error, case when x.status = 'dispatched' then now() end, (x.status = 'dispatched')::int,
        case when x.ended then now() - make_interval(secs => x.seconds) end, case when x.ended then now() end,
        case when x.status = 'succeeded' then 1 else 0 end, case when x.ended then 1 else 0 end
    from j0, jsonb_to_recordset(:runs::jsonb) as x(node_path text, node_id text, queue text, task text,
        task_version text, status text, priority smallint, max_attempts int, timeout_s float8, input jsonb,
        input_hash text, cache_key text, vt float8, result jsonb, error jsonb, ended boolean, seconds float8)
    on conflict do nothing
    returning node_path, node_id, queue, status, task, result
), a as (
    insert into artifact (id, tenant_id, owner_id, job_id, node_path, epoch, name, kind, role, media, size_bytes,
        sha256, object_key)
    select x.id, j0.tenant_id, j0.owner_id, j0.id, r.node_path, 1, x.name, x.kind, x.role, x.media, x.size_bytes,
        x.sha256, x.object_key
    from j0, r join jsonb_to_recordset(:artifacts::jsonb) as x(node_path text, id uuid, name text, kind text, role text,
        media jsonb, size_bytes bigint, sha256 text, object_key text) on x.node_path = r.node_path
    on conflict (job_id, node_path, name) do nothing
    returning id, kind, role, node_path
), trained as (
    update profile p set
        lora_id = coalesce((select id from a where a.node_path = r.node_path and kind = 'lora' and role = 'output'
            limit 1), p.lora_id),
        voice_id = coalesce((select id from a where a.node_path = r.node_path and kind = 'voice' and role = 'output'
            limit 1), p.voice_id)
    from r, j0
    where r.task in ('train_lora', 'train_voice') and r.status = 'succeeded' and p.owner_id = j0.owner_id
        and p.id::text = (r.result #>> '{profile,id}')
), o as (
    insert into outbox (queue, body)
    select r.queue, jsonb_build_object('job_id', j0.id, 'node_path', r.node_path)
    from r, j0 where r.status = 'dispatched'
    returning id, queue, body
), numbered as (
    select x.value, row_number() over (order by x.ord) as n
    from jsonb_array_elements(:events::jsonb) with ordinality as x(value, ord)
    where exists (select 1 from r where r.node_id = x.value ->> 'node' or r.node_path = x.value ->> 'node')
        or x.value ->> 'node' is null
), j as (
    update job set last_seq = job.last_seq + (select count(*) from numbered),
        status = case when job.status = 'queued' then 'running' else job.status end,
        started_at = coalesce(job.started_at, now())
    from j0 where job.id = j0.id
    returning job.id, job.last_seq
), e as (
    insert into event (job_id, seq, type, node_path, body)
    select j.id, j.last_seq - (select count(*) from numbered) + numbered.n, numbered.value ->> 'type',
        numbered.value ->> 'node', numbered.value -> 'body'
    from j, numbered
    returning seq, type, node_path, body
)
select j.last_seq as seq,
    coalesce((select jsonb_agg(r.node_path) from r), '[]'::jsonb) as created,
    coalesce((select jsonb_agg(jsonb_build_object('id', o.id, 'queue', o.queue, 'body', o.body)) from o), '[]'::jsonb)
        as outbox,
    coalesce((select jsonb_agg(jsonb_build_object('seq', e.seq, 'type', e.type, 'node', e.node_path, 'body', e.body)
        order by e.seq) from e), '[]'::jsonb) as events
from j;

-- name: cached_runs
-- The results that these keys (hex) name, with the artifact rows behind them; of one owner.
select encode(c.key, 'hex') as key, c.job_id, c.node_path, n.result,
    coalesce((select jsonb_agg(jsonb_build_object('id', a.id, 'name', a.name, 'kind', a.kind, 'role', a.role,
        'media', a.media, 'size_bytes', a.size_bytes, 'sha256', a.sha256, 'object_key', a.object_key) order by a.name)
        from artifact a where a.job_id = c.job_id and a.node_path = c.node_path), '[]'::jsonb) as artifacts
from node_cache c join node_run n on n.job_id = c.job_id and n.node_path = c.node_path
where c.owner_id = :owner_id and c.key = any(array(select decode(k, 'hex') from unnest(:keys::text[]) as k))
    and n.status = 'succeeded';

-- name: release_job^
-- End an advance: the verdict, its events, and the lease let go. `again`: a wake-up came meanwhile.
-- No row: the lease is another's, or a cancel came and leaves only the way to `cancelled`.
with j as (
    update job set status = coalesce(:status, status), error = coalesce(:error, case when :status::text is null
            or :status = 'cancelled' then error end), result = coalesce(:result, result), woken = :wake,
        lease_until = '-infinity',
        ended_at = case when :status in ('completed', 'failed', 'cancelled') then now() else ended_at end,
        last_seq = last_seq + jsonb_array_length(:events::jsonb)
    where id = :id and runner = :runner and epoch = :epoch
        and (status <> 'cancelling' or :status::text is null or :status in ('cancelling', 'cancelled'))
    returning id, last_seq, wake > woken as again, status
), e as (
    insert into event (job_id, seq, type, node_path, body)
    select j.id, j.last_seq - jsonb_array_length(:events::jsonb) + x.ord, x.value ->> 'type', x.value ->> 'node',
        x.value -> 'body'
    from j, jsonb_array_elements(:events::jsonb) with ordinality as x(value, ord)
)
select last_seq as seq, again, status from j;

-- name: cancel_job^
-- Ask for a cancel; idempotent. `was` tells the state before, `fresh` whether this call changed it.
with j0 as (
    select id, status from job where id = :id and owner_id = :owner_id for update
), j as (
    update job set status = 'cancelling', cancel_requested_at = coalesce(cancel_requested_at, now()),
        wake = wake + 1, last_seq = last_seq + 1
    from j0 where job.id = j0.id
        and j0.status in ('queued', 'planning', 'running', 'awaiting_approval', 'failed')
    returning job.id, job.last_seq
), e as (
    insert into event (job_id, seq, type, body)
    select id, last_seq, 'job.cancelling', '{"status": "cancelling"}'::jsonb from j
)
select j0.status as was, j.last_seq as seq, j.id is not null as fresh from j0 left join j on j.id = j0.id;

-- name: cancel_runs^
-- Under a cancel: end what has not started. Running ones are stopped by their workers.
with j0 as (
    select id from job where id = :id and status = 'cancelling' for update
), r as (
    update node_run n set status = 'cancelled', ended_at = now()
    from j0 where n.job_id = j0.id and n.status in ('ready', 'dispatched')
    returning n.job_id, n.node_path
), a as (
    update approval set status = 'cancelled' from j0 where approval.job_id = j0.id and approval.status = 'open'
), numbered as (select node_path, row_number() over (order by node_path) as n from r
), j as (
    update job set last_seq = job.last_seq + (select count(*) from numbered) from j0 where job.id = j0.id
    returning job.id, job.last_seq
), e as (
    insert into event (job_id, seq, type, node_path, body)
    select j.id, j.last_seq - (select count(*) from numbered) + numbered.n, 'node.cancelled', numbered.node_path,
        '{"status": "cancelled"}'::jsonb
    from j, numbered
    returning seq, type, node_path, body
)
select (select count(*) from node_run n where n.job_id = j0.id and n.status = 'running') as live,
    coalesce((select jsonb_agg(jsonb_build_object('seq', e.seq, 'type', e.type, 'node', e.node_path, 'body', e.body)
        order by e.seq) from e), '[]'::jsonb) as events
from j0;

-- name: retry_job^
-- A failed job runs again: failed and dead runs become ready with fresh budgets, what succeeded is kept.
-- :params is {node id: params} and is stored with the runs; the plan and its digest stay.
with j0 as (
    select id, status from job where id = :id and owner_id = :owner_id for update
), r as (
    update node_run n set status = 'ready', attempts = 0, crashes = 0, not_before = now(), error = null,
        ended_at = null, progress = 0, cache_key = case when :params::jsonb ? n.node_id then null else n.cache_key end,
        input = case when :params::jsonb ? n.node_id
            then jsonb_set(n.input, '{params}', (n.input -> 'params') || (:params::jsonb -> n.node_id)) else n.input end
    from j0 where n.job_id = j0.id and j0.status = 'failed' and n.status in ('failed', 'dead')
    returning n.job_id, n.node_path
), asked as (
    update approval set status = 'open', answer = null, answered_at = null from r
    where approval.job_id = r.job_id and approval.node_path = r.node_path and approval.status = 'answered'
    returning approval.node_path, approval.question -> 'question' as question, approval.question_hash
), numbered as (select node_path, row_number() over (order by node_path) as n from r
), j as (
    update job set status = 'running', error = null, ended_at = null, failures = 0, wake = wake + 1,
        deadline_at = greatest(deadline_at, now() + interval '1 hour'),
        last_seq = last_seq + 1 + (select count(*) from numbered)
    from j0 where job.id = j0.id and j0.status = 'failed'
    returning job.id, job.last_seq
), e as (
    insert into event (job_id, seq, type, node_path, body)
    select j.id, j.last_seq - (select count(*) from numbered), 'job.retried', null::text,
        jsonb_build_object('status', 'running', 'params', :params::jsonb) from j
    union all
    select j.id, j.last_seq - (select count(*) from numbered) + numbered.n,
        case when asked.node_path is null then 'node.ready' else 'approval.requested' end, numbered.node_path,
        case when asked.node_path is null then '{"status": "ready"}'::jsonb else jsonb_build_object(
            'status', 'awaiting_approval', 'question', asked.question, 'questionHash', asked.question_hash) end
    from j, numbered left join asked on asked.node_path = numbered.node_path
    returning seq, type, node_path, body
)
select j0.status as was, j.last_seq as seq, j.id is not null as fresh,
    coalesce((select jsonb_agg(jsonb_build_object('seq', e.seq, 'type', e.type, 'node', e.node_path, 'body', e.body)
        order by e.seq) from e), '[]'::jsonb) as events
from j0 left join j on j.id = j0.id;

-- name: failed_nodes
select node_id, task, input from node_run where job_id = :id and status in ('failed', 'dead');

-- name: dispatch_ready
-- Ring for what waits, in fair order, while the queue's window has room.
with picked as (
    select r.job_id, r.node_path from node_run r join job on job.id = r.job_id
    where r.status = 'ready' and r.queue = :queue and r.not_before <= now() and job.status = 'running'
    order by r.priority, r.vt, r.created_at limit :room
    for update of r skip locked
), sent as (
    update node_run r set status = 'dispatched', dispatched_at = now(), deliveries = r.deliveries + 1
    from picked where r.job_id = picked.job_id and r.node_path = picked.node_path and r.status = 'ready'
    returning r.job_id, r.node_path, r.queue
)
insert into outbox (queue, body)
select queue, jsonb_build_object('job_id', job_id, 'node_path', node_path) from sent
returning id, queue, body;

-- name: queue_load
select queue, count(*) filter (where status = 'dispatched') as dispatched,
    count(*) filter (where status = 'ready' and not_before <= now()) as ready
from node_run where status in ('ready', 'dispatched') and queue <> 'control' group by queue;

-- name: live_workers
select boot, host, gpu_uuid, queues, slots, manifest, started_at, seen_at, draining from worker
where seen_at > now() - make_interval(secs => :within_s) order by started_at;

-- name: unsent
select id, queue, body from outbox where sent_at is null and created_at < now() - make_interval(secs => :older_s)
order by id limit :count;

-- name: mark_sent!
delete from outbox where id = any(:ids::bigint[]);

-- name: stale_dispatched!
-- A doorbell that nobody answered: ring again.
update node_run set status = 'ready'
where status = 'dispatched' and dispatched_at < now() - make_interval(secs => :stale_s);

-- name: expire_jobs
-- A job over its deadline is cancelled, with the reason as its error.
with over as (
    select id from job where deadline_at < now()
        and status in ('queued', 'planning', 'running', 'awaiting_approval') limit 50 for update skip locked
), j as (
    update job set status = 'cancelling', cancel_requested_at = now(), wake = wake + 1, last_seq = last_seq + 1,
        error = jsonb_build_object('code', 'deadline', 'message', 'the job took longer than its deadline',
            'hint', 'submit it again, or look for the node that took so long')
    from over where job.id = over.id
    returning job.id, job.last_seq as seq, job.error
), e as (
    insert into event (job_id, seq, type, body)
    select j.id, j.seq, 'job.cancelling', jsonb_build_object('status', 'cancelling', 'error', j.error) from j
)
select id, seq, error from j;

-- name: lost_runs
select job_id, node_path, epoch from node_run
where status = 'running' and lease_until < now() order by lease_until limit 200;

-- name: lose_run^
-- A lease lapsed: the claim counts as a crash; the third one poisons the run.
with j0 as (
    select id, status from job where id = :job_id for update
), run as (
    update node_run r set crashes = r.crashes + 1, lease_until = null,
        status = case when j0.status in ('cancelling', 'cancelled') then 'cancelled'
            when r.crashes + 1 >= 3 then 'dead' else 'ready' end,
        error = case when r.crashes + 1 >= 3 then jsonb_build_object('kind', 'crash', 'code', 'poisoned',
            'message', 'this node ended its worker three times', 'hint',
            'look at the worker log, change the params and retry') else r.error end,
        not_before = now() + make_interval(secs => :delay_s),
        ended_at = case when r.crashes + 1 >= 3 or j0.status in ('cancelling', 'cancelled') then now() end
    from j0
    where r.job_id = j0.id and r.node_path = :node_path and r.epoch = :epoch and r.status = 'running'
        and r.lease_until < now()
    returning r.job_id, r.node_path, r.status, r.crashes
), j as (
    update job set wake = wake + 1, failures = failures + 1, last_seq = last_seq + 1 from run where job.id = run.job_id
    returning job.id, job.last_seq
), e as (
    insert into event (job_id, seq, type, node_path, body)
    select j.id, j.last_seq,
        case run.status when 'ready' then 'node.retrying' when 'dead' then 'node.failed' else 'node.cancelled' end,
        run.node_path, jsonb_build_object('status', case run.status when 'dead' then 'failed' else run.status end,
            'code', case run.status when 'dead' then 'poisoned' else 'lease_lost' end, 'crashes', run.crashes)
    from j, run
    returning seq, type, node_path, body
)
select e.seq, e.type, e.node_path as node, e.body, run.status from e, run;

-- name: ask^
-- Open the question of a gate; idempotent.
insert into approval (id, job_id, node_path, question, question_hash, status)
values (:id, :job_id, :node_path, :question, :question_hash, 'open')
on conflict (job_id, node_path) do update set node_path = excluded.node_path
returning id, status, question_hash, answer;

-- name: answer^
-- Answer a gate by compare-and-set: only the open question that was asked. The answer is the run's outcome.
with j0 as (
    select id, status from job
    where id = :job_id and owner_id = :owner_id and status in ('running', 'awaiting_approval') for update
), a as (
    update approval set status = 'answered', answer = :answer, answered_by = :owner_id, answered_at = now()
    from j0 where approval.job_id = j0.id and approval.node_path = :node_path and approval.status = 'open'
        and approval.question_hash = :question_hash
    returning approval.job_id, approval.node_path
), run as (
    update node_run r set status = :run_status, result = :result, error = :error, ended_at = now(), epoch = epoch + 1,
        progress = case when :run_status = 'succeeded' then 1 else r.progress end
    from a where r.job_id = a.job_id and r.node_path = a.node_path and r.status in ('ready', 'failed')
    returning r.job_id
), j as (
    update job set wake = wake + 1, status = 'running', last_seq = last_seq + jsonb_array_length(:events::jsonb)
    from run where job.id = run.job_id returning job.id, job.last_seq
), e as (
    insert into event (job_id, seq, type, node_path, body)
    select j.id, j.last_seq - jsonb_array_length(:events::jsonb) + x.ord, x.value ->> 'type', x.value ->> 'node',
        x.value -> 'body'
    from j, jsonb_array_elements(:events::jsonb) with ordinality as x(value, ord)
)
select last_seq as seq from j;

-- name: approvals
select id, node_path, question, question_hash, status, answer, created_at, answered_at from approval
where job_id = :job_id order by created_at;

-- name: get_job^
select id, owner_id, status, title, mode, variant, profile_id, request, plan, plan_digest, estimate, priority,
    created_at, started_at, ended_at, cancel_requested_at, last_seq, result, error, takeovers
from job where id = :id and owner_id = :owner_id;

-- name: get_runs
select node_path, node_id, task, status, queue, attempts, crashes, progress, result, error, created_at, started_at,
    ended_at, input
from node_run where job_id = :job_id order by created_at, node_path;

-- name: get_artifacts
select id, job_id, node_path, kind, role, name, media, size_bytes, sha256, object_key, registered, created_at
from artifact where job_id = :job_id order by created_at, name;

-- name: get_artifact^
select id, job_id, node_path, kind, role, name, media, size_bytes, sha256, object_key, registered, created_at
from artifact where id = :id and owner_id = :owner_id;

-- name: job_of_plan^
-- The newest job of a plan.
select id, plan, title from job where owner_id = :owner_id and plan_digest = :digest order by created_at desc limit 1;

-- name: job_of_file^
-- The job that made a file, known by one of three ways; the first one, where the node cache gave it to later ones.
select job.id, job.plan, job.title from artifact a join job on job.id = a.job_id
where a.owner_id = :owner_id and (a.id = :id or a.sha256 = :sha256 or a.object_key = :object_key)
order by a.created_at limit 1;

-- name: known_keys
-- Those of the keys that may still be wanted: of artifacts, and of checkpoints of runs that may still go on.
select object_key from artifact where object_key = any(:keys::text[])
union all
select r.checkpoint ->> 'key' from node_run r join job on job.id = r.job_id
where r.checkpoint is not null and r.checkpoint ->> 'key' = any(:keys::text[])
    and r.status not in ('succeeded', 'cancelled') and job.status not in ('completed', 'cancelled');

-- name: find_artifacts
select id, job_id, kind, name, media, size_bytes, sha256, object_key from artifact
where id = any(:ids::uuid[]) and owner_id = :owner_id;

-- name: register_outputs
update artifact set registered = true where job_id = :job_id and id = any(:ids::uuid[])
returning id, kind, name, node_path, object_key, size_bytes;

-- name: list_jobs
-- Newest first; the cursor is (created_at, id) of the last row seen.
select id, status, title, mode, variant, profile_id, created_at, started_at, ended_at, error, last_seq, plan_digest,
    (select a.id from artifact a where a.job_id = job.id and a.role = 'thumbnail' limit 1) as thumbnail_id,
    (select a.id from artifact a where a.job_id = job.id and a.kind = 'video' and a.role = 'output' limit 1)
        as video_id
from job
where owner_id = :owner_id
    and (:status::text is null or status = any(string_to_array(:status, ',')))
    and (:mode::text is null or mode = :mode)
    and (:variant::text is null or variant = :variant)
    and (:search::text is null or title ilike '%' || :search || '%')
    and (:before_at::timestamptz is null or (created_at, id) < (:before_at, :before_id::uuid))
order by created_at desc, id desc limit :count;

-- name: events_after
select seq, extract(epoch from at)::float8 as ts, type, node_path as node, body from event
where job_id = :job_id and seq > :after order by seq limit :count;

-- name: job_seqs
select id, last_seq from job where id = any(:ids::uuid[]);

-- name: append_events^
with j as (
    update job set last_seq = last_seq + jsonb_array_length(:events::jsonb) where id = :job_id returning id, last_seq
), e as (
    insert into event (job_id, seq, type, node_path, body)
    select j.id, j.last_seq - jsonb_array_length(:events::jsonb) + x.ord, x.value ->> 'type', x.value ->> 'node',
        x.value -> 'body'
    from j, jsonb_array_elements(:events::jsonb) with ordinality as x(value, ord)
)
select last_seq as seq from j;

-- name: get_profile^
-- A profile with the files that were trained for it, as nodes hand them on.
select p.id, p.name, p.lora_id, p.voice_id, p.created_at, l.ref as lora, v.ref as voice
from profile p
left join lateral (
    select jsonb_build_object('id', a.id, 'uri', 's3://artifacts/' || a.object_key, 'kind', a.kind, 'name', a.name,
        'size_bytes', a.size_bytes, 'sha256', a.sha256, 'media', a.media) as ref
    from artifact a where a.id = p.lora_id
) l on true
left join lateral (
    select jsonb_build_object('id', a.id, 'uri', 's3://artifacts/' || a.object_key, 'kind', a.kind, 'name', a.name,
        'size_bytes', a.size_bytes, 'sha256', a.sha256, 'media', a.media) as ref
    from artifact a where a.id = p.voice_id
) v on true
where p.id = :id and p.owner_id = :owner_id;

-- name: create_profile^
with p as (
    insert into profile (id, tenant_id, owner_id, name) values (:id, :tenant_id, :owner_id, :name)
    on conflict (id) do nothing returning id, name, lora_id, voice_id, created_at
)
select * from p union all
select id, name, lora_id, voice_id, created_at from profile where id = :id and owner_id = :owner_id
    and not exists (select 1 from p);

-- name: list_profiles
select id, name, lora_id, voice_id, created_at from profile
where owner_id = :owner_id and (:before_at::timestamptz is null or (created_at, id) < (:before_at, :before_id::uuid))
order by created_at desc, id desc limit :count;

-- name: run_statistics
-- Seconds per task and variant, and within that by length and picture size (`sized`), over the newest 200 good runs
-- of each task. A run's clock starts with its last claim: attempts that failed, crashed or were cancelled do not count.
with recent as (
    select r.task, coalesce(r.input #>> '{params,variant}', '') as variant,
        case when jsonb_typeof(r.input #> '{params,duration_seconds}') = 'number'
            then (r.input #>> '{params,duration_seconds}')::float8 end as duration_s,
        r.input #>> '{params,resolution}' as resolution,
        extract(epoch from r.ended_at - r.started_at)::float8 as seconds
    from (select distinct task from node_run) each
    cross join lateral (
        select task, input, started_at, ended_at from node_run
        where task = each.task and status = 'succeeded' and started_at is not null
        order by ended_at desc limit 200
    ) r
)
select task, variant, duration_s, resolution, grouping(duration_s) = 0 as sized, count(*)::int as n,
    percentile_cont(0.5) within group (order by seconds) as p50_s,
    percentile_cont(0.9) within group (order by seconds) as p90_s
from recent
group by grouping sets ((task, variant), (task, variant, duration_s, resolution));

-- name: jobs_by_status
select status, count(*) from job where created_at > now() - interval '30 days' group by status;

-- name: ping$
select 1;
