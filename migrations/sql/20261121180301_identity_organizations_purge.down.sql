drop function log.forget;
set role annals_owner;
alter table read.identity_organizations
  drop column purge_requested_by,
  drop column purge_requested_at,
  drop column purge_lapses_at,
  drop column purge_confirmed_by,
  drop column purge_effective_at;
reset role;
