set role annals_owner;

alter table work.jobs drop column cause;

reset role;
