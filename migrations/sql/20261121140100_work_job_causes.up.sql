-- A job remembers which event caused it and the trace and correlation of that event, so that what the job leads to belongs to
-- the same story.
set role annals_owner;

alter table work.jobs add column cause jsonb not null default '{}';
comment on column work.jobs.cause is 'the event that caused it, with its correlation and its W3C trace context';

reset role;
