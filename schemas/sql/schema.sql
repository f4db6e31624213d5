-- The current schema, to be read; nothing executes it but the test that compares it with the migrations.
-- Change both: a new file in migrations/, and this page. The checkpoint tables belong to LangGraph's saver (migrate.py).
-- All times are the database's own now(). One fixed tenant until the multi-user release. Source: RELIABILITY 4.2.

create table job (
    id uuid primary key,
    tenant_id uuid not null,
    owner_id uuid not null,
    status text not null check (status in
        ('queued', 'planning', 'running', 'awaiting_approval', 'cancelling', 'completed', 'failed', 'cancelled')),
    title text not null,
    mode text not null,
    variant text,
    profile_id uuid,
    idempotency_key text,
    request jsonb not null,
    request_hash bytea not null,
    plan jsonb not null,
    plan_digest text not null,
    estimate jsonb,
    graph_version int not null,
    priority smallint not null default 1,
    deadline_at timestamptz not null,
    created_at timestamptz not null default now(),
    started_at timestamptz,
    ended_at timestamptz,
    runner text,
    epoch bigint not null default 0,
    lease_until timestamptz not null default '-infinity',
    takeovers int not null default 0,
    cancel_requested_at timestamptz,
    failures int not null default 0, -- failed attempts of all nodes, against the job's budget
    wake bigint not null default 1,
    woken bigint not null default 0,
    last_seq bigint not null default 0,
    result jsonb,
    error jsonb,
    unique (tenant_id, idempotency_key)
);
create index job_to_advance on job (lease_until) where wake > woken;
create index job_newest on job (owner_id, created_at desc, id desc);
create index job_plan_digest on job (owner_id, plan_digest); -- from a file to the job that made it

create table node_run (
    job_id uuid not null references job on delete cascade,
    node_path text not null, -- the node's id, or id#N for item N of a foreach
    node_id text not null,
    tenant_id uuid not null,
    owner_id uuid not null,
    queue text not null,
    task text not null,
    task_version text not null default '1',
    status text not null check (status in
        ('ready', 'dispatched', 'running', 'succeeded', 'failed', 'cancelled', 'dead')),
    priority smallint not null default 1,
    not_before timestamptz not null default now(),
    dispatched_at timestamptz,
    started_at timestamptz,
    ended_at timestamptz,
    epoch bigint not null default 0, -- the fencing number: +1 at every claim
    worker_boot uuid,
    lease_until timestamptz,
    attempts int not null default 0, -- attempts that ended in an error
    crashes int not null default 0, -- claims that were lost
    deliveries int not null default 0,
    max_attempts int not null default 5,
    timeout_s double precision not null default 900,
    input jsonb not null, -- {"params": {}, "inputs": {}}: references and small values only
    input_hash bytea not null,
    progress double precision not null default 0,
    result jsonb, -- port -> value
    error jsonb,
    vt double precision not null default 0, -- fair-queue tag
    created_at timestamptz not null default now(),
    checkpoint jsonb, -- what a later claim goes on from: {key, sha256, step, size_bytes, input: sha256 of its input}
    cache_key bytea, -- names the result for later jobs; null: not cached
    primary key (job_id, node_path)
);
create index node_run_ready on node_run (queue, priority, vt) where status = 'ready';
create index node_run_leased on node_run (lease_until) where status = 'running';
create index node_run_dispatched on node_run (dispatched_at) where status = 'dispatched';
create index node_run_statistics on node_run (task, ended_at desc) where status = 'succeeded';
create index node_run_checkpoint on node_run ((checkpoint ->> 'key')) where checkpoint is not null;

create table outbox (
    id bigint generated always as identity primary key,
    queue text not null,
    body jsonb not null,
    created_at timestamptz not null default now(),
    sent_at timestamptz
);
create index outbox_unsent on outbox (id) where sent_at is null;

create table artifact (
    id uuid primary key,
    tenant_id uuid not null,
    owner_id uuid not null,
    job_id uuid not null references job on delete cascade,
    node_path text not null,
    epoch bigint not null,
    name text not null,
    kind text not null,
    role text not null default 'output',
    media jsonb not null default '{}',
    size_bytes bigint not null,
    sha256 text not null,
    object_key text not null, -- shared by the rows that the node cache made
    registered boolean not null default false, -- an output of the job, by artifacts.registerOutputs
    created_at timestamptz not null default now(),
    unique (job_id, node_path, name)
);
create index artifact_object on artifact (object_key);
create index artifact_sha256 on artifact (owner_id, sha256);

create table event (
    job_id uuid not null references job on delete cascade,
    seq bigint not null,
    at timestamptz not null default now(),
    type text not null,
    node_path text,
    body jsonb not null,
    primary key (job_id, seq)
);

create table approval (
    id uuid primary key,
    job_id uuid not null references job on delete cascade,
    node_path text not null,
    question jsonb not null,
    question_hash text not null,
    status text not null check (status in ('open', 'answered', 'applied', 'expired', 'cancelled')),
    answer jsonb,
    answered_by uuid,
    answered_at timestamptz,
    expires_at timestamptz,
    created_at timestamptz not null default now(),
    unique (job_id, node_path)
);

create table worker (
    boot uuid primary key,
    host text not null,
    gpu_uuid text,
    queues text[] not null,
    slots int not null,
    manifest jsonb not null,
    started_at timestamptz not null default now(),
    seen_at timestamptz not null default now(),
    draining boolean not null default false
);

create table profile (
    id uuid primary key,
    tenant_id uuid not null,
    owner_id uuid not null,
    name text not null,
    lora_id uuid references artifact on delete set null,
    voice_id uuid references artifact on delete set null,
    created_at timestamptz not null default now()
);

-- Results that later jobs of the same owner may take over (graphs/cache.py).
create table node_cache (
    owner_id uuid not null,
    key bytea not null,
    job_id uuid not null,
    node_path text not null,
    created_at timestamptz not null default now(),
    primary key (owner_id, key),
    foreign key (job_id, node_path) references node_run on delete cascade
);
create index node_cache_run on node_cache (job_id, node_path);
