-- What workers have to do, and how far each reaction has read the log. Operational state: what a job led to stands in the log.
set role annals_owner;

create table work.jobs (
  job_id uuid primary key,
  tenant_id uuid not null,
  kind text not null,
  subject_id text not null,
  body jsonb not null default '{}',
  state text not null default 'queued' check (state in ('queued', 'running', 'succeeded', 'failed', 'dead', 'cancelled')),
  attempt integer not null default 0 check (attempt >= 0),
  max_attempts integer not null check (max_attempts > 0),
  run_at timestamptz not null default now(),
  taken_at timestamptz,
  worker text,
  lease_until timestamptz,
  heartbeat_at timestamptz,
  error text,
  created_at timestamptz not null default now(),
  changed_at timestamptz not null default now()
) with (fillfactor = 70);
comment on table work.jobs is 'background work, one row per piece; its id follows from the event that caused it, so that it is never made twice';
comment on column work.jobs.state is 'queued: waits until run_at; running: leased to a worker until lease_until; failed: ended, as it told its subject; dead: given up after max_attempts';
create index jobs_due_idx on work.jobs (kind, tenant_id, run_at, job_id) where state = 'queued';
create index jobs_leases_idx on work.jobs (kind, lease_until) where state = 'running';
create index jobs_turns_idx on work.jobs (kind, tenant_id, taken_at);
create index jobs_subject_idx on work.jobs (tenant_id, kind, subject_id);
create index jobs_ended_idx on work.jobs (changed_at) where state in ('succeeded', 'cancelled');

create table work.reactions (
  name text primary key,
  position bigint not null default 0,
  changed_at timestamptz not null default now()
) with (fillfactor = 50);
comment on table work.reactions is 'how far each reaction has read the log; jobs and this stand in one transaction';

reset role;

alter table work.jobs enable row level security;
alter table work.jobs force row level security;
create policy whole_queue on work.jobs to workers, auditor, annals_owner using (true) with check (true);
create policy tenant_isolation on work.jobs for select to query_api
  using (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);

grant select, insert, update, delete on work.jobs to workers;
grant select, insert, update on work.reactions to workers;
grant usage on schema work to auditor;
grant select on work.jobs to query_api, auditor;
grant select on work.reactions to query_api, auditor;
