-- The read model of archived months; and the workers, who archive only what is sealed, see what was signed.
set role annals_owner;

create table read.audit_archives (
  tenant_id uuid not null,
  ledger_id text not null,
  month text not null,
  file_id uuid not null,
  sha256 text not null,
  size_bytes bigint not null,
  rows bigint not null,
  first_seq bigint not null,
  last_seq bigint not null,
  checkpoint_size bigint not null,
  checkpoint_root text not null,
  archived_at timestamptz not null,
  dropped_at timestamptz,
  version bigint not null,
  created_at timestamptz not null,
  changed_at timestamptz not null,
  primary key (tenant_id, month)
);
comment on table read.audit_archives is 'the months of the trail that are in files, and which of them are no longer in the trail';
comment on column read.audit_archives.month is 'its first day';
create index audit_archives_ledger_id_idx on read.audit_archives (tenant_id, ledger_id);

select read.protect('read.audit_archives');

create policy tenant_of_workers on audit.checkpoints for select to workers
  using (tenant_id = (select nullif(current_setting('app.tenant', true), '')::uuid));
grant select on audit.checkpoints to workers;

reset role;
