drop index artifact_sha256;
drop index job_plan_digest;
drop index node_run_checkpoint;
alter table node_run drop column checkpoint;
