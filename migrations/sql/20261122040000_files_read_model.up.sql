-- The read model of uploaded files, with what each is about.
set role annals_owner;

create table read.files_files (
  tenant_id uuid not null,
  file_id uuid not null,
  name text not null,
  media_type text not null,
  size_bytes bigint,
  sha256 text,
  purpose text not null,
  status text not null,
  uploaded_by uuid not null,
  subjects jsonb not null,
  links jsonb not null,
  flag_reason text,
  refused_reason text,
  downloads bigint not null,
  stored_at timestamptz,
  ends_at timestamptz,
  version bigint not null,
  created_at timestamptz not null,
  changed_at timestamptz not null,
  primary key (tenant_id, file_id)
);
comment on table read.files_files is 'uploaded files, what they are about, and how long they stay';
create index files_files_created_at_idx on read.files_files (tenant_id, created_at, file_id);
create index files_files_uploaded_by_idx on read.files_files (tenant_id, uploaded_by, created_at, file_id);

select read.protect('read.files_files');

reset role;
