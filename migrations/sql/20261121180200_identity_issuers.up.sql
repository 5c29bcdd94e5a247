-- The read model of issuers whose word organisations take, and what follows from it for users and sessions.
set role annals_owner;

create table read.identity_issuers (
  tenant_id uuid not null,
  issuer_id uuid not null,
  name text not null,
  issuer text not null,
  audiences jsonb not null,
  algorithms jsonb not null,
  jwks_uri text,
  mapping text not null,
  email_domains jsonb not null,
  joins boolean not null,
  status text not null,
  suspended_at timestamptz,
  suspension_reason text,
  distrusted_at timestamptz,
  version bigint not null,
  created_at timestamptz not null,
  changed_at timestamptz not null,
  primary key (tenant_id, issuer_id)
);
comment on table read.identity_issuers is 'the issuers of tokens that are exchanged for sessions, and which of their tokens count';
create index identity_issuers_created_at_idx on read.identity_issuers (tenant_id, created_at, issuer_id);

select read.protect('read.identity_issuers');

alter table read.identity_users
  add column email_confirmed boolean not null default false,
  add column identities jsonb not null default '[]';
alter table read.identity_sessions add column issuer_id uuid;

reset role;
