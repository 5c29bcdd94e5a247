-- The read model of comments; what they say stands here as sealed as in the log, and is opened where it is shown.
set role annals_owner;

create table read.collaboration_comments (
  tenant_id uuid not null,
  comment_id uuid not null,
  subject text not null,
  parent_id uuid,
  author_id uuid not null,
  body text,
  mentions jsonb not null,
  editable_until timestamptz not null,
  edited_at timestamptz,
  deleted_at timestamptz,
  created_at timestamptz not null,
  changed_at timestamptz not null,
  primary key (tenant_id, comment_id)
);
comment on table read.collaboration_comments is 'comments on records, with who is called in them; deleted ones without what they said';
create index collaboration_comments_subject_idx on read.collaboration_comments (tenant_id, subject, created_at, comment_id);
create index collaboration_comments_author_id_idx on read.collaboration_comments (tenant_id, author_id, created_at, comment_id);
create index collaboration_comments_created_at_idx on read.collaboration_comments (tenant_id, created_at, comment_id);

select read.protect('read.collaboration_comments');

reset role;
