-- The read models of triggers and of the calendars of days on which nothing is to happen.
set role annals_owner;

create table read.scheduling_triggers (
  tenant_id uuid not null,
  trigger_id uuid not null,
  name text not null,
  owned_by uuid not null,
  kind text not null,
  spec jsonb not null,
  modifiers jsonb not null,
  time_zone text not null,
  command text not null,
  args jsonb not null,
  starts_at timestamptz,
  ends_at timestamptz,
  max_fires bigint,
  revision integer not null,
  effective_from timestamptz,
  status text not null,
  next_at timestamptz,
  fires bigint not null,
  last_fired_at timestamptz,
  last_skipped_at timestamptz,
  last_skip_reason text,
  version bigint not null,
  created_at timestamptz not null,
  changed_at timestamptz not null,
  primary key (tenant_id, trigger_id)
);
comment on table read.scheduling_triggers is 'what happens when its time has come, and when that is next, as it was planned last';
create index scheduling_triggers_next_at_idx on read.scheduling_triggers (tenant_id, next_at, trigger_id);
create index scheduling_triggers_created_at_idx on read.scheduling_triggers (tenant_id, created_at, trigger_id);

create table read.scheduling_blackout_calendars (
  tenant_id uuid not null,
  blackout_calendar_id uuid not null,
  name text not null,
  blackouts jsonb not null,
  status text not null,
  version bigint not null,
  created_at timestamptz not null,
  changed_at timestamptz not null,
  primary key (tenant_id, blackout_calendar_id)
);
comment on table read.scheduling_blackout_calendars is 'days on which nothing is to happen, by calendar';
create index scheduling_blackout_calendars_created_at_idx
  on read.scheduling_blackout_calendars (tenant_id, created_at, blackout_calendar_id);

select read.protect('read.scheduling_triggers');
select read.protect('read.scheduling_blackout_calendars');

reset role;
