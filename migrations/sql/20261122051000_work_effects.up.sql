-- What left the house, and up to where the log came back from a backup: neither happens again.
set role annals_owner;

create table work.effects (
  tenant_id uuid not null,
  effect_id uuid not null,
  kind text not null,
  job_id uuid not null,
  state text not null check (state in ('intended', 'done', 'refused')),
  attempts integer not null default 1 check (attempts > 0),
  answer text,
  intended_at timestamptz not null default now(),
  changed_at timestamptz not null default now(),
  primary key (tenant_id, effect_id)
) with (fillfactor = 80);
comment on table work.effects is 'what left the house, one row each; its id follows from the event that caused it and the step, so it outlives its job';
comment on column work.effects.state is 'intended: about to leave, or nobody knows; done: taken by whoever it went to; refused: not taken';
comment on column work.effects.answer is 'what whoever it went to answered, without anything personal';

create table work.restored (
  only_row boolean primary key default true check (only_row),
  position bigint not null,
  restored_at timestamptz not null default now()
);
comment on table work.restored is 'up to where the log came from a backup: what followed from events up to here has left the house before';

reset role;

alter table work.effects enable row level security;
alter table work.effects force row level security;
create policy every_effect on work.effects to workers, auditor, annals_owner using (true) with check (true);

grant select, insert, update, delete on work.effects to workers;
grant select on work.effects to auditor;
grant select on work.restored to workers, auditor;
