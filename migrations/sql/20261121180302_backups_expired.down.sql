set role annals_owner;
comment on column read.backups_backups.status is 'queued, running, completed or failed';
reset role;
