-- The read model of links, by which the files of a record are found: as a list within the row of a file they are not found by an index,
-- since row security lets no operator on lists look before it.
set role annals_owner;

create table read.files_links (
  tenant_id uuid not null,
  subject text not null,
  file_id uuid not null,
  role text not null,
  created_at timestamptz not null,
  primary key (tenant_id, subject, file_id)
);
comment on table read.files_links is 'which files are about which record';
create index files_links_file_id_idx on read.files_links (tenant_id, file_id);

select read.protect('read.files_links');

reset role;
