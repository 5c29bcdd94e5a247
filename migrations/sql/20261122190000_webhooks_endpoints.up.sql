-- Who hears of events elsewhere: the read model, what came of telling, and how each program answers.
set role annals_owner;

create table read.webhooks_endpoints (
  tenant_id uuid not null,
  endpoint_id uuid not null,
  url text not null,
  events jsonb not null,
  description text,
  owned_by uuid not null,
  status text not null,
  disabled_reason text,
  rotated_at timestamptz,
  old_valid_until timestamptz,
  failing_since timestamptz,
  dead_letters bigint not null,
  version bigint not null,
  created_at timestamptz not null,
  changed_at timestamptz not null,
  primary key (tenant_id, endpoint_id)
);
comment on table read.webhooks_endpoints is 'programs elsewhere that hear of events, without their secrets';
create index webhooks_endpoints_created_at_idx on read.webhooks_endpoints (tenant_id, created_at, endpoint_id);

select read.protect('read.webhooks_endpoints');

create table work.webhooks_deliveries (
  tenant_id uuid not null,
  endpoint_id uuid not null,
  delivery_id uuid not null,
  event_id uuid not null,
  event_type text not null,
  position bigint not null,
  state text not null check (state in ('retrying', 'delivered', 'gone', 'dead', 'cancelled')),
  attempts integer not null default 0 check (attempts >= 0),
  last_status integer,
  last_error text,
  history jsonb not null default '[]',
  next_at timestamptz,
  first_at timestamptz not null default now(),
  changed_at timestamptz not null default now(),
  primary key (tenant_id, endpoint_id, delivery_id)
) with (fillfactor = 70);
comment on table work.webhooks_deliveries is 'what programs elsewhere were told of which event, and what they answered; kept for a month';
comment on column work.webhooks_deliveries.state is 'retrying: not taken yet; delivered: taken; gone: the program says it is gone; dead: given up; cancelled: nobody was to be told any more';
comment on column work.webhooks_deliveries.history is 'the last attempts: when, the status of the answer or what went wrong, and how long it took';
create index webhooks_deliveries_first_at_idx on work.webhooks_deliveries (tenant_id, endpoint_id, first_at, delivery_id);
create index webhooks_deliveries_changed_at_idx on work.webhooks_deliveries (tenant_id, changed_at);

create table work.webhooks_answers (
  tenant_id uuid not null,
  endpoint_id uuid not null,
  failing_since timestamptz,
  rest_until timestamptz,
  changed_at timestamptz not null default now(),
  primary key (tenant_id, endpoint_id)
) with (fillfactor = 70);
comment on table work.webhooks_answers is 'how programs elsewhere answer: since when not at all, and until when they asked to be left alone';

reset role;

alter table work.webhooks_deliveries enable row level security;
alter table work.webhooks_deliveries force row level security;
create policy every_delivery on work.webhooks_deliveries to workers, auditor, annals_owner using (true) with check (true);
create policy tenant_isolation on work.webhooks_deliveries for select to command_api, query_api
  using (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
alter table work.webhooks_answers enable row level security;
alter table work.webhooks_answers force row level security;
create policy every_answer on work.webhooks_answers to workers, auditor, annals_owner using (true) with check (true);

grant select, insert, update, delete on work.webhooks_deliveries, work.webhooks_answers to workers;
grant select on work.webhooks_deliveries to query_api, auditor;
grant usage on schema work to command_api;
grant select (tenant_id, endpoint_id, delivery_id, event_id, position) on work.webhooks_deliveries to command_api;
grant select on work.webhooks_answers to auditor;
