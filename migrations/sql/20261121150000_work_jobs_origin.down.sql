set role annals_owner;
alter table work.jobs drop column causation_id, drop column correlation_id;
reset role;
