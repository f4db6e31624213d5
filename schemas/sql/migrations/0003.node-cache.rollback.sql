drop table node_cache;
drop index artifact_object;
alter table artifact add constraint artifact_object_key_key unique (object_key);
alter table node_run drop column cache_key;
