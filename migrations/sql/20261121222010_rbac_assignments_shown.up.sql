-- Who holds which role, with what the role is called.
set role annals_owner;

create view read.rbac_assignments_shown with (security_invoker = true) as
select a.tenant_id, a.assignment_id, a.user_id, a.role_id, a.unit_id, a.is_protected, a.expires_at, a.assigned_by,
       a.created_at, a.changed_at, r.code as role_code, r.name as role_name
  from read.rbac_assignments a
  left join read.rbac_roles r on r.tenant_id = a.tenant_id and r.role_id = a.role_id;
comment on view read.rbac_assignments_shown is 'who holds which role, and what it is called; a role that is deleted has no name any longer';
grant select on read.rbac_assignments_shown to query_api, workers, auditor, projectors;

reset role;
