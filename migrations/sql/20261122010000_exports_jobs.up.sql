-- Background work of every kind under one roof: its read model, and the wish that a worker lets go of it.
set role annals_owner;

create table read.exports_jobs (
  tenant_id uuid not null,
  job_id uuid not null,
  kind text not null,
  label text not null,
  requested_by uuid,
  state text not null,
  attempts integer not null,
  worker text,
  done bigint,
  total bigint,
  unit text,
  error_code text,
  error_message text,
  retryable boolean,
  started_at timestamptz,
  ended_at timestamptz,
  version bigint not null,
  created_at timestamptz not null,
  changed_at timestamptz not null,
  primary key (tenant_id, job_id)
);
comment on table read.exports_jobs is 'background work of every kind, one row each, from the request to its end';
comment on column read.exports_jobs.state is 'queued, running, cancelling, succeeded, failed, cancelled or expired';
create index exports_jobs_created_at_idx on read.exports_jobs (tenant_id, created_at, job_id);
create index exports_jobs_requested_by_idx on read.exports_jobs (tenant_id, requested_by, created_at);

select read.protect('read.exports_jobs');

alter table work.jobs add column interrupted_at timestamptz;
comment on column work.jobs.interrupted_at is 'when its worker was asked to let go of it';
alter table work.jobs add column skipped_because text;
comment on column work.jobs.skipped_because is 'why an operator left a dead letter as it is';
alter table work.jobs drop constraint jobs_state_check;
alter table work.jobs add constraint jobs_state_check
  check (state in ('queued', 'running', 'succeeded', 'failed', 'dead', 'cancelled', 'skipped'));

reset role;
