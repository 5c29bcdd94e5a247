-- The read models of tasks: what is to be done, by whom, and how far it is. Subtasks and requirements are shown from the task's own row.
set role annals_owner;

create table read.maintenance_tasks (
  tenant_id uuid not null,
  task_id uuid not null,
  title text not null,
  details text,
  status text not null,
  priority text not null,
  asset_id uuid,
  unit_id uuid,
  schedule_id uuid,
  occurrence text,
  schedule_version bigint,
  due_at timestamptz,
  assignees jsonb not null,
  subtasks_count bigint not null,
  subtasks_done bigint not null,
  requirements_count bigint not null,
  requirements_done bigint not null,
  prerequisites jsonb not null,
  parts jsonb not null,
  demands jsonb not null,
  missing jsonb not null,
  reason text,
  readers jsonb not null,
  state jsonb not null,
  started_at timestamptz,
  completed_at timestamptz,
  ended_at timestamptz,
  version bigint not null,
  created_at timestamptz not null,
  changed_at timestamptz not null,
  primary key (tenant_id, task_id)
);
comment on table read.maintenance_tasks is 'what is to be done, and how far it is';
comment on column read.maintenance_tasks.occurrence is 'the day that it is for, where a plan made it';
comment on column read.maintenance_tasks.parts is 'its subtasks as a tree';
comment on column read.maintenance_tasks.demands is 'what it takes besides its subtasks, one by one';
comment on column read.maintenance_tasks.missing is 'what it lacks, but for the tasks before it';
comment on column read.maintenance_tasks.readers is 'who sees it besides whoever holds the permission where it belongs';
comment on column read.maintenance_tasks.state is 'the task as its rules see it, from which the other columns follow';
create index maintenance_tasks_due_at_idx on read.maintenance_tasks (tenant_id, due_at, task_id);
create index maintenance_tasks_created_at_idx on read.maintenance_tasks (tenant_id, created_at, task_id);
create index maintenance_tasks_unit_id_idx on read.maintenance_tasks (tenant_id, unit_id, created_at, task_id);
create index maintenance_tasks_asset_id_idx on read.maintenance_tasks (tenant_id, asset_id, created_at, task_id);

create table read.maintenance_task_assignees (
  tenant_id uuid not null,
  task_id uuid not null,
  assignee text not null,
  reader text not null,
  assigned_at timestamptz not null,
  confirmed_at timestamptz,
  primary key (tenant_id, task_id, assignee)
);
comment on table read.maintenance_task_assignees is 'who is to do which task';
comment on column read.maintenance_task_assignees.reader is 'as whom they stand among the readers of the task';
create index maintenance_task_assignees_assignee_idx on read.maintenance_task_assignees (tenant_id, assignee, task_id);
create index maintenance_task_assignees_reader_idx on read.maintenance_task_assignees (tenant_id, reader, task_id);

select read.protect('read.maintenance_tasks');
select read.protect('read.maintenance_task_assignees');

create view read.maintenance_task_list with (security_invoker = true) as
select t.tenant_id, t.task_id, t.title, t.details, t.status, t.priority, t.asset_id, a.tag as asset_tag, t.unit_id,
       t.schedule_id, t.occurrence, t.schedule_version, t.due_at, t.assignees,
       t.subtasks_count, t.subtasks_done, t.requirements_count, t.requirements_done, t.reason, t.readers,
       t.started_at, t.completed_at, t.ended_at, t.version, t.created_at, t.changed_at
  from read.maintenance_tasks t left join read.maintenance_assets a using (tenant_id, asset_id);
comment on view read.maintenance_task_list is 'tasks, each with the tag of its asset';
grant select on read.maintenance_task_list to query_api, workers, auditor, projectors;

create view read.maintenance_task_details with (security_invoker = true) as
select l.*, t.parts as subtasks, t.demands as requirements, t.state -> 'photos' as photos,
       b.prerequisites, t.missing || jsonb_build_object('prerequisites', b.open) as missing
  from read.maintenance_task_list l join read.maintenance_tasks t using (tenant_id, task_id)
  cross join lateral (
    select coalesce(jsonb_agg(jsonb_build_object('task_id', p.id, 'status', o.status) order by p.id), '[]') as prerequisites,
           coalesce(jsonb_agg(p.id order by p.id)
             filter (where o.status is null or o.status not in ('completed', 'cancelled', 'superseded')), '[]') as open
      from jsonb_array_elements_text(t.prerequisites) p (id)
      left join read.maintenance_tasks o on o.tenant_id = t.tenant_id and o.task_id = p.id::uuid
  ) b;
comment on view read.maintenance_task_details is 'tasks with all their parts, what they take and what they lack';
grant select on read.maintenance_task_details to query_api, workers, auditor, projectors;

create view read.maintenance_assignments with (security_invoker = true) as
select w.tenant_id, w.task_id, t.title, t.status, t.due_at, t.unit_id, w.assignee::uuid as user_id,
       w.assigned_at, w.confirmed_at, t.readers
  from read.maintenance_task_assignees w join read.maintenance_tasks t using (tenant_id, task_id);
comment on view read.maintenance_assignments is 'who is to do which task, and who sees that';
grant select on read.maintenance_assignments to query_api, workers, auditor, projectors;

create view read.maintenance_subtasks with (security_invoker = true) as
select t.tenant_id, t.task_id, t.title as task_title, t.unit_id, s.id::uuid as subtask_id,
       (s.subtask ->> 'parent_id')::uuid as parent_id, s.subtask ->> 'title' as title,
       (s.subtask ->> 'mandatory')::boolean as mandatory, (s.subtask ->> 'done')::boolean as done,
       s.subtask -> 'assignees' as assignees, t.readers, t.changed_at
  from read.maintenance_tasks t cross join lateral jsonb_each(t.state -> 'subtasks') s (id, subtask);
comment on view read.maintenance_subtasks is 'the parts of tasks, and who sees those';
grant select on read.maintenance_subtasks to query_api, workers, auditor, projectors;

create view read.maintenance_task_requirements with (security_invoker = true) as
select t.tenant_id, t.task_id, t.title as task_title, t.unit_id, d.number, d.demand ->> 'kind' as kind,
       (d.demand ->> 'requirement_id')::uuid as requirement_id, d.demand ->> 'title' as title,
       (d.demand ->> 'mandatory')::boolean as mandatory, (d.demand ->> 'done')::boolean as done,
       d.demand ->> 'op' as op, d.demand ->> 'wanted' as wanted, d.demand ->> 'found' as found, t.readers, t.changed_at
  from read.maintenance_tasks t cross join lateral jsonb_array_elements(t.demands) with ordinality d (demand, number);
comment on view read.maintenance_task_requirements is 'what tasks take besides their parts, and who sees those';
grant select on read.maintenance_task_requirements to query_api, workers, auditor, projectors;

reset role;
