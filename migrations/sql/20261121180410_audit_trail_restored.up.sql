-- Archived months that were brought back for reading; beside the trail, which stays what the log makes it.
set role annals_owner;

create table audit.trail_restored (like audit.trail including defaults);
alter table audit.trail_restored add primary key (tenant_id, tenant_seq);
comment on table audit.trail_restored is 'entries of archived months that an operator brought back for reading, as their files have them';
create index trail_restored_at_idx on audit.trail_restored (tenant_id, at, tenant_seq);
alter table audit.trail_restored enable row level security;
alter table audit.trail_restored force row level security;
create policy whole_model on audit.trail_restored to annals_owner, auditor using (true) with check (true);
create policy tenant_isolation on audit.trail_restored for select to query_api, workers
  using (tenant_id = (select nullif(current_setting('app.tenant', true), '')::uuid));
grant select on audit.trail_restored to query_api, workers, auditor;

reset role;
