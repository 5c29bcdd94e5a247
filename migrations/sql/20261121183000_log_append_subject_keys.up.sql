-- The append also keeps the keys of persons whom it begins to tell of (k_, one element per person): in a round trip of their
-- own they cost as much as the append. The function is changed where it stands: all else of it stays as it was.
set role annals_owner;

do $change$
declare
  before constant text := pg_get_functiondef((select p.oid from pg_proc p where p.pronamespace = 'log'::regnamespace and p.proname = 'append'));
  after text := before;
  change text[];
begin
  foreach change slice 1 in array array[
    array[$text$e_stream integer[] DEFAULT NULL::integer[]$text$, $text$e_stream integer[] DEFAULT NULL::integer[], k_append integer[] DEFAULT NULL::integer[], k_tenant uuid[] DEFAULT NULL::uuid[], k_subject uuid[] DEFAULT NULL::uuid[], k_sealed bytea[] DEFAULT NULL::bytea[]$text$],
    array[$text$  room bigint;
$text$, $text$  room bigint;
  keys_kept bigint;
$text$],
    array[$text$  -- 4. what passed is numbered$text$, $text$  -- keys of persons who begin here; where there is another key already, what was sealed under this one must not be stored
  if cardinality(k_append) > 0 then
    insert into secrets.subject_keys (tenant_id, subject_id, sealed)
    select k.tenant_id, k.subject_id, k.sealed
      from unnest(k_append, k_tenant, k_subject, k_sealed) k (append, tenant_id, subject_id, sealed)
     where not refused[k.append]
    on conflict on constraint subject_keys_pkey do nothing;
    get diagnostics keys_kept = row_count;
    if keys_kept < cardinality(k_append) then
      for bad in
        select k.append, k.subject_id
          from unnest(k_append, k_tenant, k_subject, k_sealed) k (append, tenant_id, subject_id, sealed)
          join secrets.subject_keys s on s.tenant_id = k.tenant_id and s.subject_id = k.subject_id
         where s.sealed <> k.sealed
      loop
        continue when refused[bad.append];
        refused[bad.append] := true;
        append := bad.append; reason := 'fact'; detail := 'secrets.subject_keys/' || bad.subject_id;
        return next;
      end loop;
    end if;
  end if;

  -- 4. what passed is numbered$text$]
  ] loop
    if strpos(after, change[1]) = 0 then
      raise exception 'log.append is not as expected; look at the migrations that change it';
    end if;
    after := replace(after, change[1], change[2]);
  end loop;
  drop function log.append;
  execute after;
end
$change$;
comment on function log.append is 'the only way into the log';

reset role;
revoke all on function log.append from public;
grant execute on function log.append to command_api;
