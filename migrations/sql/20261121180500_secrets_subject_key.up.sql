-- A person's key in one round trip: the one there is, or the one given.
set role annals_owner;

create function secrets.subject_key(tenant uuid, subject uuid, made bytea) returns bytea
  language plpgsql security definer set search_path = '' as $$
declare
  kept bytea;
begin
  -- Nobody waits for the disk: the append that needs this key comes after it in the same write-ahead log, so whatever makes
  -- the append durable makes the key durable.
  perform set_config('synchronous_commit', 'off', true);
  insert into secrets.subject_keys (tenant_id, subject_id, sealed) values (tenant, subject, made)
    on conflict do nothing;
  select k.sealed into strict kept from secrets.subject_keys k
    where k.tenant_id = tenant and k.subject_id = subject;
  return kept;
end $$;
comment on function secrets.subject_key is 'the key of a person, kept as given where there was none';

revoke execute on function secrets.subject_key from public;
grant execute on function secrets.subject_key to command_api;

reset role;
