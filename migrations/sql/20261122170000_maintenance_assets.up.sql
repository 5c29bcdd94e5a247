-- The read models of assets: what there is, what counters show, and who besides their units is let in.
set role annals_owner;

create table read.maintenance_assets (
  tenant_id uuid not null,
  asset_id uuid not null,
  tag text not null,
  name text not null,
  category text,
  serial text,
  unit_id uuid,
  acquired_on text,
  warranty_until text,
  cost_amount text,
  cost_currency text,
  cost_minor bigint,
  visibility text not null,
  shares jsonb not null,
  readers jsonb not null,
  status text not null,
  retired_at timestamptz,
  version bigint not null,
  created_at timestamptz not null,
  changed_at timestamptz not null,
  primary key (tenant_id, asset_id)
);
comment on table read.maintenance_assets is 'what is kept up, and where it belongs';
comment on column read.maintenance_assets.cost_minor is 'what it cost, in the smallest coin of its currency';
comment on column read.maintenance_assets.readers is 'who sees it besides whoever holds the permission where it belongs';
create index maintenance_assets_tag_idx on read.maintenance_assets (tenant_id, tag, asset_id);
create index maintenance_assets_unit_id_idx on read.maintenance_assets (tenant_id, unit_id, tag, asset_id);

create table read.maintenance_asset_usage (
  tenant_id uuid not null,
  asset_id uuid not null,
  counter text not null,
  value text not null,
  value_thousandths bigint not null,
  total text not null,
  total_thousandths bigint not null,
  readings bigint not null,
  read_at timestamptz not null,
  reset_at timestamptz,
  reset_reason text,
  changed_at timestamptz not null,
  primary key (tenant_id, asset_id, counter)
);
comment on table read.maintenance_asset_usage is 'the counters of assets, each with its last reading';

create table read.maintenance_asset_shares (
  tenant_id uuid not null,
  asset_id uuid not null,
  with_kind text not null,
  with_id uuid not null,
  level text not null,
  shared_at timestamptz not null,
  primary key (tenant_id, asset_id, with_kind, with_id)
);
comment on table read.maintenance_asset_shares is 'whom assets are shared with, and how far those are let in';

select read.protect('read.maintenance_assets');
select read.protect('read.maintenance_asset_usage');
select read.protect('read.maintenance_asset_shares');

create view read.maintenance_usage with (security_invoker = true) as
select u.tenant_id, u.asset_id, a.tag, a.unit_id, u.counter, u.value, u.value_thousandths, u.total, u.total_thousandths,
       u.readings, u.read_at, u.reset_at, u.reset_reason, a.readers, u.changed_at
  from read.maintenance_asset_usage u join read.maintenance_assets a using (tenant_id, asset_id);
comment on view read.maintenance_usage is 'the counters of assets, and who sees those';
grant select on read.maintenance_usage to query_api, workers, auditor, projectors;

create view read.maintenance_shares with (security_invoker = true) as
select s.tenant_id, s.asset_id, a.tag, a.unit_id, s.with_kind, s.with_id, s.level, a.readers, s.shared_at
  from read.maintenance_asset_shares s join read.maintenance_assets a using (tenant_id, asset_id);
comment on view read.maintenance_shares is 'whom assets are shared with, and who sees those';
grant select on read.maintenance_shares to query_api, workers, auditor, projectors;

reset role;
