-- Backups that were kept long enough.
set role annals_owner;
comment on column read.backups_backups.status is 'queued, running, completed, failed or expired';
reset role;
