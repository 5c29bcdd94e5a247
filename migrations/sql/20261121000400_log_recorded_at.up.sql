-- When an event was recorded, whoever's it is: a reader that is behind can say by how long. It tells nothing else.
set role annals_owner;

create function log.recorded_at(at_position bigint) returns timestamptz
  language sql stable security definer set search_path = ''
  begin atomic
    select e.recorded_at from log.events e where e.position = at_position;
  end;
comment on function log.recorded_at is 'when the event at a position was recorded';

reset role;

revoke all on function log.recorded_at from public;
grant execute on function log.recorded_at to query_api;
