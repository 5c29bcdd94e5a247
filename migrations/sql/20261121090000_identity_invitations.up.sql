-- The read model of invitations.
set role annals_owner;

create table read.identity_invitations (
  tenant_id uuid not null,
  invitation_id uuid not null,
  email text not null,
  roles jsonb not null,
  message text,
  status text not null,
  invited_by uuid not null,
  sendings integer not null,
  expires_at timestamptz not null,
  accepted_at timestamptz,
  user_id uuid,
  revoked_at timestamptz,
  version bigint not null,
  created_at timestamptz not null,
  changed_at timestamptz not null,
  primary key (tenant_id, invitation_id)
);
comment on table read.identity_invitations is 'who is or was invited, and what came of it; an open one may have expired by now';
create index identity_invitations_created_at_idx on read.identity_invitations (tenant_id, created_at, invitation_id);

select read.protect('read.identity_invitations');

reset role;
