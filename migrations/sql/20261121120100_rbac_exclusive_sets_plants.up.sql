-- The read models of roles that exclude each other and of access to units; the view of who effectively may do what knows the latter.
set role annals_owner;

create table read.rbac_exclusive_sets (
  tenant_id uuid not null,
  set_id uuid not null,
  name text not null,
  roles jsonb not null,
  cardinality integer not null,
  created_at timestamptz not null,
  changed_at timestamptz not null,
  primary key (tenant_id, set_id)
);
comment on table read.rbac_exclusive_sets is 'the sets of roles of which nobody may have as many as the cardinality';
comment on column read.rbac_exclusive_sets.roles is 'ids of the roles, in order; deleted ones are gone';

create table read.rbac_user_plant_access (
  tenant_id uuid not null,
  access_id uuid not null,
  user_id uuid not null,
  unit_id uuid not null,
  level text not null,
  role_code text not null,
  expires_at timestamptz,
  granted_by text,
  created_at timestamptz not null,
  changed_at timestamptz not null,
  primary key (tenant_id, access_id)
);
comment on table read.rbac_user_plant_access is 'who has access to which unit, how far and until when; expired access until it is cleared';
comment on column read.rbac_user_plant_access.role_code is 'the code of the role that says what the level means';
create index rbac_user_plant_access_user_id_idx on read.rbac_user_plant_access (tenant_id, user_id, unit_id);
create index rbac_user_plant_access_unit_id_idx on read.rbac_user_plant_access (tenant_id, unit_id, user_id);

select read.protect('read.rbac_exclusive_sets');
select read.protect('read.rbac_user_plant_access');

drop view read.rbac_effective_permissions;
create view read.rbac_effective_permissions with (security_invoker = true) as
with recursive held (tenant_id, assignment_id, user_id, role_id, unit_id, is_protected, expires_at) as (
  select a.tenant_id, a.assignment_id, a.user_id, a.role_id, a.unit_id, a.is_protected, a.expires_at
    from read.rbac_assignments a
   where a.expires_at is null or a.expires_at > now()
  union all -- access to a unit is the role of its level, there
  select p.tenant_id, p.access_id, p.user_id, r.role_id, p.unit_id, false, p.expires_at
    from read.rbac_user_plant_access p
    join read.rbac_roles r on r.tenant_id = p.tenant_id and r.code = p.role_code
   where p.expires_at is null or p.expires_at > now()
), reach (tenant_id, assignment_id, role_id, unit_id) as (
  select a.tenant_id, a.assignment_id, r.role_id, lower.unit_id
    from held a
    join read.rbac_roles r on r.tenant_id = a.tenant_id and r.role_id = a.role_id
    cross join lateral read.identity_lower_unit(a.tenant_id, a.unit_id, r.unit_id) lower
   where lower.meets
  union
  select s.tenant_id, s.assignment_id, j.role_id, lower.unit_id
    from reach s
    join read.rbac_roles r on r.tenant_id = s.tenant_id and r.role_id = s.role_id
    cross join lateral jsonb_array_elements_text(r.parents) parent (id)
    join read.rbac_roles j on j.tenant_id = s.tenant_id and j.role_id = parent.id::uuid
    cross join lateral read.identity_lower_unit(s.tenant_id, s.unit_id, j.unit_id) lower
   where lower.meets
), granted (tenant_id, assignment_id, unit_id, via_role_id, name, implies) as (
  select s.tenant_id, s.assignment_id, s.unit_id, s.role_id, p.name, p.implies
    from reach s
    join read.rbac_roles r on r.tenant_id = s.tenant_id and r.role_id = s.role_id
    cross join lateral jsonb_array_elements_text(r.permissions) g (name)
    join lateral (
      select n.name, n.implies from read.rbac_permissions n
       where n.tenant_id = s.tenant_id and n.name = g.name and n.retired_at is null
      union all
      select n.name, n.implies from read.rbac_permissions n
       where strpos(g.name, '*') > 0 and n.tenant_id = s.tenant_id and n.retired_at is null and read.rbac_covers(g.name, n.name)
    ) p on true
  union
  select s.tenant_id, s.assignment_id, s.unit_id, s.via_role_id, p.name, p.implies
    from granted s
    cross join lateral jsonb_array_elements_text(s.implies) i (name)
    join read.rbac_permissions p on p.tenant_id = s.tenant_id and p.name = i.name and p.retired_at is null
)
select g.tenant_id, g.assignment_id, a.user_id, u.handle, g.name as permission, a.role_id, g.via_role_id, g.unit_id,
       a.is_protected, a.expires_at
  from (select distinct tenant_id, assignment_id, unit_id, via_role_id, name from granted) g
  join held a on a.tenant_id = g.tenant_id and a.assignment_id = g.assignment_id
  left join read.identity_users u on u.tenant_id = a.tenant_id and u.user_id = a.user_id;
comment on view read.rbac_effective_permissions is 'who may do what now, and by which role; inheritance, patterns and implied permissions written out';

grant select on read.rbac_effective_permissions to query_api, workers, auditor, projectors;

reset role;
