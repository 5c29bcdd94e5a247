-- What a job follows from, so that what the worker reports can say so.
set role annals_owner;

alter table work.jobs add column causation_id text, add column correlation_id text;
comment on column work.jobs.causation_id is 'the event that caused the job';
comment on column work.jobs.correlation_id is 'what that event shares with all that follows from the same first request';

reset role;
