-- What is to be recorded when its time has come.
set role annals_owner;

create table work.timers (
  tenant_id uuid not null,
  kind text not null,
  subject_id text not null,
  due_at timestamptz not null,
  path text not null,
  body jsonb not null,
  run_at timestamptz not null,
  attempt integer not null default 0 check (attempt >= 0),
  error text,
  primary key (tenant_id, kind, subject_id)
) with (fillfactor = 70);
comment on table work.timers is 'commands to post when their time has come, one per subject; follows from the log, and whoever is late loses nothing';
comment on column work.timers.run_at is 'when it is tried: at due_at, and later after each attempt that was refused or not answered';
create index timers_run_at_idx on work.timers (run_at);

reset role;

alter table work.timers enable row level security;
alter table work.timers force row level security;
create policy every_timer on work.timers to workers, auditor, annals_owner using (true) with check (true);

grant select, insert, update, delete on work.timers to workers;
grant select on work.timers to auditor;
