-- What process managers remember of the matters they are at.
set role annals_owner;

create table work.processes (
  tenant_id uuid not null,
  process text not null,
  correlation text not null,
  memory jsonb,
  position bigint not null check (position > 0),
  changed_at timestamptz not null default now(),
  primary key (tenant_id, process, correlation)
) with (fillfactor = 70);
comment on table work.processes is 'what process managers remember, one row for each matter; follows from the log';
comment on column work.processes.memory is 'what is remembered; nothing once the matter is over';
comment on column work.processes.position is 'the last event of the matter that was taken: what is read again changes nothing';

reset role;

alter table work.processes enable row level security;
alter table work.processes force row level security;
create policy every_process on work.processes to workers, auditor, annals_owner using (true) with check (true);

grant select, insert, update, delete on work.processes to workers;
grant select on work.processes to auditor;
