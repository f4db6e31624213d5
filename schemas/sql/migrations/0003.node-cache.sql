-- Results that later jobs of the same owner may take over. Artifact rows of several jobs may name one object.

alter table node_run add column cache_key bytea;
alter table artifact drop constraint artifact_object_key_key;
create index artifact_object on artifact (object_key);

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
