revoke select on audit.checkpoints from workers;
drop policy tenant_of_workers on audit.checkpoints;
drop table read.audit_archives;
