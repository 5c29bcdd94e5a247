-- The audit trail: one row per event and per refusal.
set role annals_owner;

create table audit.trail (
  tenant_id uuid not null,
  tenant_seq bigint not null,
  event_id uuid not null,
  at timestamptz not null,
  actor_kind text,
  actor_id text,
  on_behalf_of text,
  session_id text,
  ip text,
  user_agent text,
  request_id text,
  correlation_id text,
  causation_id text,
  command text,
  action text not null,
  module text not null,
  resource_type text not null,
  resource_id text,
  aggregate_type text not null,
  aggregate_id text not null,
  version bigint not null,
  status text not null,
  reason text,
  changes jsonb not null,
  detail jsonb,
  primary key (tenant_id, tenant_seq)
);
comment on table audit.trail is 'what happened and what was refused, one row per event, in the order of the organisation';
comment on column audit.trail.status is 'success; denied: the caller may not; failed: a rule refused it';
comment on column audit.trail.changes is 'what changed in the rows people see, as a patch in the manner of RFC 6902, with what stood there before';
comment on column audit.trail.detail is 'what the event says beyond that';
create index trail_at_idx on audit.trail (tenant_id, at, tenant_seq);
create index trail_actor_id_idx on audit.trail (tenant_id, actor_id, tenant_seq);
create index trail_resource_idx on audit.trail (tenant_id, resource_type, resource_id, tenant_seq);
create index trail_refusals_idx on audit.trail (tenant_id, tenant_seq) where status <> 'success';

select read.protect('audit.trail');

reset role;
