set role annals_owner;

update work.jobs set state = 'dead' where state = 'skipped';
alter table work.jobs drop constraint jobs_state_check;
alter table work.jobs add constraint jobs_state_check
  check (state in ('queued', 'running', 'succeeded', 'failed', 'dead', 'cancelled'));
alter table work.jobs drop column skipped_because;
alter table work.jobs drop column interrupted_at;
drop table read.exports_jobs;

reset role;
