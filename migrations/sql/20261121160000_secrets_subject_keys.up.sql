-- One key for each person whom events tell of: what is personal in them is sealed under it, and deleting it forgets that.
set role annals_owner;

create table secrets.subject_keys (
  tenant_id uuid not null,
  subject_id uuid not null,
  sealed bytea not null,
  created_at timestamptz not null default now(),
  primary key (tenant_id, subject_id)
);
comment on table secrets.subject_keys is 'the key of a person under the master key; deleted for good when the person is erased';

-- States of these streams hold what their events seal, and are kept no longer.
delete from log.snapshots where aggregate_type in ('identity.user', 'identity.invitation');

reset role;

alter table secrets.subject_keys enable row level security;
alter table secrets.subject_keys force row level security;
create policy tenant_isolation on secrets.subject_keys to command_api, query_api
  using (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
  with check (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
create policy whole on secrets.subject_keys for select to projectors, workers using (true);
create policy owner on secrets.subject_keys to annals_owner using (true) with check (true);

grant usage on schema secrets to projectors;
grant select, insert, delete on secrets.subject_keys to command_api;
grant select on secrets.subject_keys to query_api, projectors, workers;
