set role annals_owner;
drop view read.rbac_effective_permissions;
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

drop table read.rbac_user_plant_access;
drop table read.rbac_exclusive_sets;
reset role;
