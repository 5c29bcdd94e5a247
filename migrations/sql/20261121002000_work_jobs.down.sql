revoke usage on schema work from auditor;
drop table work.reactions;
drop table work.jobs;
