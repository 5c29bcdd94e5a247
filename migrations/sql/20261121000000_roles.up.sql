-- One least-privilege role per process, and the schemas. Roles belong to the cluster, so they outlive this database.
do $$
declare
  name text;
begin
  foreach name in array array['annals_owner', 'command_api', 'relay', 'projectors', 'query_api', 'workers', 'auditor'] loop
    begin
      execute format('create role %I nologin nosuperuser nobypassrls', name);
    exception when duplicate_object or unique_violation then
      null; -- another database of this cluster made it
    end;
    begin
      execute format('grant %I to current_user', name);
    exception when others then
      null; -- already a member, or current_user is that role
    end;
  end loop;
end
$$;

create schema log authorization annals_owner;
create schema read authorization annals_owner;
create schema audit authorization annals_owner;
create schema work authorization annals_owner;
create schema secrets authorization annals_owner;

comment on schema log is 'the one ordered log; append-only';
comment on schema read is 'read models; rebuilt from the log at any time';
comment on schema audit is 'the audit trail; rebuilt from the log at any time';
comment on schema work is 'operational state of workers';
comment on schema secrets is 'ciphertext of what an event must never carry';

grant usage on schema log to command_api, relay, projectors, query_api, workers, auditor;
grant usage on schema read to projectors, query_api, workers, auditor;
grant usage on schema audit to projectors, query_api, workers, auditor;
grant usage on schema work to workers, query_api;
grant usage on schema secrets to command_api, workers;
