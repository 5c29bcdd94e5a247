-- What is looked up by resource, and by the unit that a role or an assignment belongs to.
set role annals_owner;

create index rbac_permissions_resource_idx on read.rbac_permissions (tenant_id, resource, action);
create index rbac_roles_unit_id_idx on read.rbac_roles (tenant_id, unit_id);
create index rbac_assignments_unit_id_idx on read.rbac_assignments (tenant_id, unit_id);

reset role;
