-- The last position that had been given out at a moment. Positions and the times of their events ascend together, so halving
-- the log finds it in some twenty steps and needs no index over time.
set role annals_owner;

create function log.position_at(moment timestamptz) returns bigint
  language plpgsql stable security definer set search_path = '' as $$
declare
  low bigint := 0;
  high bigint;
  middle bigint;
  found timestamptz;
begin
  select h.position into strict high from log.head h;
  while low < high loop
    middle := low + (high - low + 1) / 2;
    select e.recorded_at into found from log.events e where e.position = middle;
    -- What was archived is older than anything that is left.
    if found is null or found <= moment then low := middle; else high := middle - 1; end if;
  end loop;
  return low;
end
$$;
comment on function log.position_at is 'the last position that had been given out at a moment';

reset role;

revoke all on function log.position_at from public;
grant execute on function log.position_at to query_api;
