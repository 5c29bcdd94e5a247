-- The events of an organisation's policy by the roles and permissions that they mention: a policy of many thousand roles is
-- one stream, and whoever asks why somebody may do something asks for a handful of its events.
set role annals_owner;

create function log.mentioned(payload json) returns uuid[]
  language sql immutable strict parallel safe
  return array(select distinct m.found[1]::uuid from pg_catalog.regexp_matches(payload::text,
    '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}', 'g') m (found));
comment on function log.mentioned is 'the ids in an event''s payload';

create index events_policy_mentions on log.events using gin (log.mentioned(payload)) where aggregate_type = 'rbac.policy';

create function log.of_policy(of_tenant uuid, ids uuid[], until bigint) returns setof log.events
  language sql stable security definer set search_path = ''
  begin atomic
    select e.* from log.events e
     where e.aggregate_type = 'rbac.policy' and log.mentioned(e.payload) operator(pg_catalog.&&) ids
       and e.tenant_id = of_tenant and e.position <= until;
  end;
comment on function log.of_policy is 'the events of an organisation''s access policy that mention one of these ids, up to a position';

reset role;

revoke all on function log.mentioned, log.of_policy from public;
grant execute on function log.of_policy to query_api;
