-- The purge of an organisation: how far it is, and what command-api may forget of one that is purged.
set role annals_owner;

alter table read.identity_organizations
  add column purge_requested_by uuid,
  add column purge_requested_at timestamptz,
  add column purge_lapses_at timestamptz,
  add column purge_confirmed_by uuid,
  add column purge_effective_at timestamptz;

-- What the log keeps beside its events of an organisation that was purged; the events stay, and so does its slug, which is
-- unique in the installation. Of any other organisation nothing is forgotten, whoever asks.
create function log.forget(of_tenant uuid) returns void
  language plpgsql security definer set search_path = '' as $$
begin
  if not exists (
    select from log.events e
     where e.tenant_id = of_tenant and e.aggregate_type = 'identity.organization' and e.aggregate_id = of_tenant::text
       and e.event_type = 'identity.organization.purged'
  ) then
    raise exception 'the organisation % was not purged', of_tenant;
  end if;
  delete from log.claims where tenant_id = of_tenant;
  delete from log.idempotency where tenant_id = of_tenant;
  delete from log.snapshots where tenant_id = of_tenant;
  delete from audit.trail_restored where tenant_id = of_tenant;
end
$$;
comment on function log.forget is 'deletes the claims, keys, snapshots and restored months of an organisation that was purged';
revoke all on function log.forget from public;

reset role;

grant execute on function log.forget to command_api;
