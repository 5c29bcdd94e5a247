-- The read models of access: roles, permissions, assignments, and the view of who effectively may do what.
set role annals_owner;

create table read.rbac_roles (
  tenant_id uuid not null,
  role_id uuid not null,
  code text not null,
  name text not null,
  description text,
  level integer not null,
  unit_id uuid,
  is_system boolean not null,
  is_protected boolean not null,
  permissions jsonb not null,
  parents jsonb not null,
  created_at timestamptz not null,
  changed_at timestamptz not null,
  primary key (tenant_id, role_id)
);
comment on table read.rbac_roles is 'the roles of organisations that are not deleted';
comment on column read.rbac_roles.permissions is 'names and patterns granted to the role itself, in order';
comment on column read.rbac_roles.parents is 'ids of the roles it inherits from, in order; one may be deleted';
create index rbac_roles_code_idx on read.rbac_roles (tenant_id, code);
create index rbac_roles_level_idx on read.rbac_roles (tenant_id, level, role_id);

create table read.rbac_permissions (
  tenant_id uuid not null,
  permission_id uuid not null,
  name text not null,
  resource text not null,
  action text not null,
  description text,
  origin text not null,
  implies jsonb not null,
  retired_at timestamptz,
  created_at timestamptz not null,
  changed_at timestamptz not null,
  primary key (tenant_id, permission_id)
);
comment on table read.rbac_permissions is 'what can be granted in each organisation';
comment on column read.rbac_permissions.origin is 'catalogue: comes with Annals; custom: made by the organisation';
create index rbac_permissions_name_idx on read.rbac_permissions (tenant_id, name);

create table read.rbac_assignments (
  tenant_id uuid not null,
  assignment_id uuid not null,
  user_id uuid not null,
  role_id uuid not null,
  unit_id uuid,
  is_protected boolean not null,
  expires_at timestamptz,
  assigned_by text,
  created_at timestamptz not null,
  changed_at timestamptz not null,
  primary key (tenant_id, assignment_id)
);
comment on table read.rbac_assignments is 'who holds which role, where and until when; expired ones until they are cleared';
comment on column read.rbac_assignments.is_protected is 'whether the policy itself granted it';
create index rbac_assignments_user_id_idx on read.rbac_assignments (tenant_id, user_id, role_id);
create index rbac_assignments_role_id_idx on read.rbac_assignments (tenant_id, role_id, user_id);

select read.protect('read.rbac_roles');
select read.protect('read.rbac_permissions');
select read.protect('read.rbac_assignments');

-- Whether all that the pattern's name can mean is covered, as in events::rbac::name::covers.
create function read.rbac_covers(pattern text, name text) returns boolean
  language sql immutable parallel safe
  return (split_part(pattern, ':', 2) in ('*', split_part(name, ':', 2)))
    and (split_part(pattern, ':', 1) = split_part(name, ':', 1)
      or (right(split_part(pattern, ':', 1), 1) = '*'
        and starts_with(split_part(name, ':', 1), rtrim(split_part(pattern, ':', 1), '*'))));

-- Where both count: the lower of two units, one of which lies in the other; null is the whole organisation.
create function read.identity_lower_unit(tenant uuid, one uuid, other uuid, out unit_id uuid, out meets boolean)
  language sql stable parallel safe as $$ -- as text: a body that knew the table would hold on to the one a rebuild replaces
    select case
        when one is null or one = other then other
        when other is null then one
        when exists (select from read.identity_units u where u.tenant_id = tenant and u.unit_id = one and u.path ? other::text) then one
        else other
      end,
      one is null or other is null or one = other
        or exists (select from read.identity_units u where u.tenant_id = tenant
                    and ((u.unit_id = one and u.path ? other::text) or (u.unit_id = other and u.path ? one::text)))
  $$;

create view read.rbac_effective_permissions with (security_invoker = true) as
with recursive reach (tenant_id, assignment_id, role_id, unit_id) as (
  select a.tenant_id, a.assignment_id, r.role_id, lower.unit_id
    from read.rbac_assignments a
    join read.rbac_roles r on r.tenant_id = a.tenant_id and r.role_id = a.role_id
    cross join lateral read.identity_lower_unit(a.tenant_id, a.unit_id, r.unit_id) lower
   where (a.expires_at is null or a.expires_at > now()) and lower.meets
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
  join read.rbac_assignments a on a.tenant_id = g.tenant_id and a.assignment_id = g.assignment_id
  left join read.identity_users u on u.tenant_id = a.tenant_id and u.user_id = a.user_id;
comment on view read.rbac_effective_permissions is 'who may do what now, and by which role; inheritance, patterns and implied permissions written out';

grant select on read.rbac_effective_permissions to query_api, workers, auditor, projectors;
grant execute on function read.rbac_covers, read.identity_lower_unit to query_api, workers, auditor, projectors;

reset role;
