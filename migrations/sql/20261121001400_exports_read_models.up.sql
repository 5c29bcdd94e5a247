-- The read model of exports.
set role annals_owner;

create table read.exports_exports (
  tenant_id uuid not null,
  export_id uuid not null,
  requested_by uuid not null,
  format text not null,
  dataset text not null,
  columns jsonb not null,
  filter text,
  sort jsonb not null,
  title text,
  locale text not null,
  time_zone text not null,
  status text not null,
  attempts integer not null,
  worker text,
  rows_done bigint not null,
  rows_total bigint,
  file_id uuid,
  file_name text,
  size_bytes bigint,
  sha256 text,
  rows bigint,
  as_of_position bigint,
  expires_at timestamptz,
  error_code text,
  error_message text,
  retryable boolean,
  downloads bigint not null,
  started_at timestamptz,
  ended_at timestamptz,
  version bigint not null,
  created_at timestamptz not null,
  changed_at timestamptz not null,
  primary key (tenant_id, export_id)
);
comment on table read.exports_exports is 'the exports people asked for, from the request to the end of the file';
comment on column read.exports_exports.status is 'queued, running, completed, failed, cancelled or expired';
create index exports_exports_created_at_idx on read.exports_exports (tenant_id, created_at, export_id);
create index exports_exports_requested_by_idx on read.exports_exports (tenant_id, requested_by, created_at);

select read.protect('read.exports_exports');

reset role;
