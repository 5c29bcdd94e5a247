-- The read model of batches of exports, whom files are shared with, and which tell changes alone.
set role annals_owner;

create table read.exports_batches (
  tenant_id uuid not null,
  batch_id uuid not null,
  requested_by uuid not null,
  title text,
  items jsonb not null,
  run_at timestamptz,
  status text not null,
  attempts integer not null,
  total integer not null,
  made integer not null,
  failed integer not null,
  downloads bigint not null,
  started_at timestamptz,
  ended_at timestamptz,
  version bigint not null,
  created_at timestamptz not null,
  changed_at timestamptz not null,
  primary key (tenant_id, batch_id)
);
comment on table read.exports_batches is 'several files that were asked for as one, one row each';
comment on column read.exports_batches.items is 'each file with the export that makes it, where it stands, and why it was refused';
create index exports_batches_created_at_idx on read.exports_batches (tenant_id, created_at, batch_id);
create index exports_batches_requested_by_idx on read.exports_batches (tenant_id, requested_by, created_at, batch_id);

select read.protect('read.exports_batches');

alter table read.exports_exports add column batch_id uuid;
alter table read.exports_exports add column shared_with jsonb not null default '[]';
alter table read.exports_exports add column incremental boolean not null default false;
comment on column read.exports_exports.incremental is 'whether it tells what has changed since an earlier file';
comment on column read.exports_exports.shared_with is 'the users who may fetch the file besides whoever asked';

create view read.exports_schedules with (security_invoker = true) as
select t.tenant_id, t.trigger_id as schedule_id, t.name, t.owned_by,
       case when jsonb_array_length(coalesce(t.args #> '{deliver,recipients}', '[]')) > 0 then 'email' else 'file' end as kind,
       substr(t.command, 24) as format, t.args as export,
       coalesce(t.args #> '{deliver,recipients}', '[]') as recipients, t.kind as recurs_by,
       t.spec, t.modifiers, t.time_zone, t.starts_at, t.ends_at, t.max_fires, t.status, t.next_at, t.fires, t.last_fired_at,
       t.last_aggregate_id, t.last_refusal_code, t.last_refusal, t.refusals, t.version, t.created_at, t.changed_at
  from read.scheduling_triggers t
 where t.command like 'exports\_export\_request\_%';
comment on view read.exports_schedules is 'the triggers that lead to a file';
grant select on read.exports_schedules to query_api, workers, auditor, projectors;

reset role;
