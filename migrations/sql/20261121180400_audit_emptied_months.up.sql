-- A month that every organisation has dropped from the trail gives its partition back. The workers verify what they lean on.
set role annals_owner;

-- Drops the partition of a moment's month if it is over and nothing is in it; whether it did. Whoever reads the whole at that
-- moment is not waited for longer than two seconds: the empty partition then stays until a month is dropped again.
create function read.drop_emptied_month(schema_name text, table_name text, moment timestamptz) returns boolean
  language plpgsql security definer set search_path = '' set lock_timeout = '2s' as $$
declare
  month timestamp := date_trunc('month', moment at time zone 'UTC');
  part text := format('%I.%I', schema_name, table_name || to_char(month, '"_"YYYYMM'));
  filled boolean;
begin
  if read.partitioned_by(schema_name, table_name) is null then
    raise exception '%.% has no months', schema_name, table_name using errcode = 'undefined_table';
  end if;
  perform pg_advisory_xact_lock(hashtextextended('annals months ' || table_name, 0));
  if to_regclass(part) is null or month >= date_trunc('month', now() at time zone 'UTC') then
    return false;
  end if;
  if not exists (select from pg_inherits i
                  where i.inhrelid = to_regclass(part) and i.inhparent = read.model(schema_name, table_name)) then
    return false;
  end if;
  begin
    -- Row security hides rows from their owner too; emptiness must be the truth.
    execute format('alter table %s no force row level security', part);
    execute format('select exists (select from %s)', part) into filled;
    if filled then
      execute format('alter table %s force row level security', part);
      return false;
    end if;
    execute format('drop table %s', part);
    return true;
  exception when lock_not_available then
    return false;
  end;
end
$$;
comment on function read.drop_emptied_month is 'drops the partition of a past month if no row is in it';

revoke all on function read.drop_emptied_month from public;
grant execute on function read.drop_emptied_month to projectors;

grant select (kid, public_key, created_at) on secrets.notary_keys to workers;

reset role;
