-- The words of all background work, where exports and backups say how they stand.
set role annals_owner;
comment on column read.exports_exports.status is 'queued, running, cancelling, succeeded, failed, cancelled or expired';
comment on column read.backups_backups.status is 'queued, running, cancelling, succeeded, failed, cancelled or expired';
reset role;
