drop index read.rbac_permissions_resource_idx;
drop index read.rbac_roles_unit_id_idx;
drop index read.rbac_assignments_unit_id_idx;
