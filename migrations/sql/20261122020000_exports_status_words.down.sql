set role annals_owner;
comment on column read.backups_backups.status is 'queued, running, completed, failed or expired';
comment on column read.exports_exports.status is 'queued, running, completed, failed, cancelled or expired';
reset role;
