set role annals_owner;
drop view read.exports_schedules;
alter table read.exports_exports drop column incremental;
alter table read.exports_exports drop column shared_with;
alter table read.exports_exports drop column batch_id;
drop table read.exports_batches;
reset role;
