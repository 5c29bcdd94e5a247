drop view read.maintenance_task_requirements;
drop view read.maintenance_subtasks;
drop view read.maintenance_assignments;
drop view read.maintenance_task_details;
drop view read.maintenance_task_list;
drop table read.maintenance_task_assignees;
drop table read.maintenance_tasks;
