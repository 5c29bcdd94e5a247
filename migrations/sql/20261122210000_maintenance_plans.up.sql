-- The read models of plans: when something of an asset is to be done, what comes before what, and what came of it. Triggers say besides
-- how much before they happen, and what they belong to.
set role annals_owner;

alter table read.scheduling_triggers
  add column lead_secs bigint,
  add column managed_kind text,
  add column managed_id uuid;

create table read.maintenance_plan_schedules (
  tenant_id uuid not null,
  schedule_id uuid not null,
  asset_id uuid not null,
  title text not null,
  owned_by uuid not null,
  kind text not null,
  spec jsonb not null,
  modifiers jsonb not null,
  starts_at timestamptz,
  ends_at timestamptz,
  max_fires bigint,
  lead_secs bigint,
  task jsonb not null,
  depends_on jsonb not null,
  revision integer not null,
  effective_from timestamptz,
  status text not null,
  tasks_open bigint not null,
  waiting jsonb not null,
  last_due_at timestamptz,
  last_left_out_at timestamptz,
  last_left_out_because text,
  version bigint not null,
  created_at timestamptz not null,
  changed_at timestamptz not null,
  primary key (tenant_id, schedule_id)
);
comment on table read.maintenance_plan_schedules is 'when something of an asset is to be done, and what';
comment on column read.maintenance_plan_schedules.revision is 'the version that was decided last, which may hold from effective_from on only';
comment on column read.maintenance_plan_schedules.waiting is 'the tasks that there will be once nothing before them is left to do';
create index maintenance_plan_schedules_asset_id_idx on read.maintenance_plan_schedules (tenant_id, asset_id, title, schedule_id);
create index maintenance_plan_schedules_title_idx on read.maintenance_plan_schedules (tenant_id, title, schedule_id);

create table read.maintenance_plan_dependencies (
  tenant_id uuid not null,
  schedule_id uuid not null,
  depends_on_id uuid not null,
  asset_id uuid not null,
  since timestamptz not null,
  primary key (tenant_id, schedule_id, depends_on_id)
);
comment on table read.maintenance_plan_dependencies is 'which schedules of an asset come before which';

create table read.maintenance_plan_occurrences (
  tenant_id uuid not null,
  task_id uuid not null,
  schedule_id uuid not null,
  asset_id uuid not null,
  occurrence text not null,
  due_at timestamptz not null,
  revision integer not null,
  state text not null,
  waits_for jsonb not null,
  generated_at timestamptz,
  closed_at timestamptz,
  changed_at timestamptz not null,
  primary key (tenant_id, task_id)
);
comment on table read.maintenance_plan_occurrences is 'what came of schedules: the tasks that were made, and the occurrences that wait for others';
comment on column read.maintenance_plan_occurrences.state is 'waiting: for other schedules; open: its task is not over; completed, cancelled, superseded: how that ended; withdrawn: it never had one';
create index maintenance_plan_occurrences_schedule_id_idx on read.maintenance_plan_occurrences (tenant_id, schedule_id, due_at, task_id);
create index maintenance_plan_occurrences_due_at_idx on read.maintenance_plan_occurrences (tenant_id, due_at, task_id);

select read.protect('read.maintenance_plan_schedules');
select read.protect('read.maintenance_plan_dependencies');
select read.protect('read.maintenance_plan_occurrences');

create view read.maintenance_schedules with (security_invoker = true) as
select s.tenant_id, s.schedule_id, s.asset_id, a.tag, a.unit_id, s.title, s.owned_by, s.kind, s.spec, s.modifiers, s.starts_at, s.ends_at,
       s.max_fires, s.lead_secs, s.task, s.depends_on, s.revision, s.effective_from, s.status, t.next_at, s.tasks_open,
       jsonb_array_length(s.waiting)::bigint as occurrences_waiting, s.last_due_at, s.last_left_out_at, s.last_left_out_because, s.version, s.created_at, s.changed_at
  from read.maintenance_plan_schedules s
  join read.maintenance_assets a using (tenant_id, asset_id)
  left join read.scheduling_triggers t on t.tenant_id = s.tenant_id and t.trigger_id = s.schedule_id;
comment on view read.maintenance_schedules is 'when something of an asset is to be done, and where the asset belongs';
grant select on read.maintenance_schedules to query_api, workers, auditor, projectors;

create view read.maintenance_schedule_dependencies with (security_invoker = true) as
select d.tenant_id, d.schedule_id, d.depends_on_id, d.asset_id, a.tag, a.unit_id, d.since
  from read.maintenance_plan_dependencies d join read.maintenance_assets a using (tenant_id, asset_id);
comment on view read.maintenance_schedule_dependencies is 'which schedules come before which, and where their asset belongs';
grant select on read.maintenance_schedule_dependencies to query_api, workers, auditor, projectors;

create view read.maintenance_occurrences with (security_invoker = true) as
select o.tenant_id, o.task_id, o.schedule_id, o.asset_id, a.tag, a.unit_id, o.occurrence, o.due_at, o.revision, o.state, o.waits_for,
       o.generated_at, o.closed_at, o.changed_at
  from read.maintenance_plan_occurrences o join read.maintenance_assets a using (tenant_id, asset_id);
comment on view read.maintenance_occurrences is 'what came of schedules, and where their asset belongs';
grant select on read.maintenance_occurrences to query_api, workers, auditor, projectors;

reset role;
