drop view read.rbac_effective_permissions;
drop function read.identity_lower_unit(uuid, uuid, uuid);
drop function read.rbac_covers(text, text);
drop table read.rbac_assignments;
drop table read.rbac_permissions;
drop table read.rbac_roles;
