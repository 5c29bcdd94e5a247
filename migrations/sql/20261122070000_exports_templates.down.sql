set role annals_owner;
drop index read.exports_exports_ended_at_idx;
drop index read.exports_exports_expires_at_idx;
alter table read.exports_exports drop column deleted_by;
alter table read.exports_exports drop column deleted_at;
alter table read.exports_exports drop column archived_at;
alter table read.exports_exports drop column template_id;
drop table read.exports_templates;
reset role;
