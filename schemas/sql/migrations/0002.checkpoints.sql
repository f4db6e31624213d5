-- What a run keeps to go on from, and the ways from a file back to the job that made it.

alter table node_run add column checkpoint jsonb;
create index node_run_checkpoint on node_run ((checkpoint ->> 'key')) where checkpoint is not null;
create index job_plan_digest on job (owner_id, plan_digest);
create index artifact_sha256 on artifact (owner_id, sha256);
