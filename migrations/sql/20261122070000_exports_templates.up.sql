-- The read model of report templates, and what becomes of the files of exports.
set role annals_owner;

create table read.exports_templates (
  tenant_id uuid not null,
  template_id uuid not null,
  name text not null,
  dataset text not null,
  columns jsonb not null,
  filter text,
  sort jsonb not null,
  title text,
  locale text,
  time_zone text,
  layout jsonb not null,
  status text not null,
  version bigint not null,
  created_at timestamptz not null,
  changed_at timestamptz not null,
  primary key (tenant_id, template_id)
);
comment on table read.exports_templates is 'reports that are asked for again and again, one row each';
comment on column read.exports_templates.status is 'defined or retired';
create index exports_templates_created_at_idx on read.exports_templates (tenant_id, created_at, template_id);
create index exports_templates_name_idx on read.exports_templates (tenant_id, name);

select read.protect('read.exports_templates');

alter table read.exports_exports add column template_id uuid;
alter table read.exports_exports add column archived_at timestamptz;
alter table read.exports_exports add column deleted_at timestamptz;
alter table read.exports_exports add column deleted_by uuid;
create index exports_exports_expires_at_idx on read.exports_exports (tenant_id, expires_at)
  where status = 'succeeded';
create index exports_exports_ended_at_idx on read.exports_exports (tenant_id, ended_at, export_id)
  where status = 'succeeded';

reset role;
