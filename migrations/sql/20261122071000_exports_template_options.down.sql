set role annals_owner;
alter table read.exports_templates drop column options;
reset role;
