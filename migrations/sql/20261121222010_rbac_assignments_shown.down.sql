drop view read.rbac_assignments_shown;
