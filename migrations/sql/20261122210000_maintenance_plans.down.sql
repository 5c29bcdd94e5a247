drop view read.maintenance_occurrences;
drop view read.maintenance_schedule_dependencies;
drop view read.maintenance_schedules;
drop table read.maintenance_plan_occurrences;
drop table read.maintenance_plan_dependencies;
drop table read.maintenance_plan_schedules;
set role annals_owner;

alter table read.scheduling_triggers
  drop column managed_id,
  drop column managed_kind,
  drop column lead_secs;

reset role;
