drop table profile, worker, approval, event, artifact, outbox, node_run, job;
