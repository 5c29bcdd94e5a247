-- The trail is rebuilt into the table as it was before.
set role annals_owner;

drop function read.next_begin, read.next_index, read.next_swap, read.months_ahead, read.month, read.partitioned_by;
alter function read.next_begin_plain(text, text) rename to next_begin;
alter function read.next_index_plain(text, text) rename to next_index;
alter function read.next_swap_plain(text, text) rename to next_swap;
grant execute on function read.next_begin, read.next_index, read.next_swap to projectors;

create or replace function read.model(schema_name text, table_name text) returns regclass
  language plpgsql stable set search_path = '' as $$
declare
  found oid;
begin
  select c.oid into found
    from pg_class c
   where c.relnamespace::regnamespace::text = schema_name and c.relname = table_name and c.relkind = 'r'
     and schema_name in ('read', 'audit') and table_name not in ('checkpoints', 'parked');
  if found is null then
    raise exception 'there is no read model %.%', schema_name, table_name using errcode = 'undefined_table';
  end if;
  return found::regclass;
end
$$;

create table audit.trail_before (like audit.trail including defaults including constraints including storage including comments);
drop table audit.trail;
alter table audit.trail_before rename to trail;
alter table audit.trail add constraint trail_pkey primary key (tenant_id, tenant_seq);
comment on table audit.trail is 'what happened and what was refused, one row per event, in the order of the organisation';
create index trail_at_idx on audit.trail (tenant_id, at, tenant_seq);
create index trail_actor_id_idx on audit.trail (tenant_id, actor_id, tenant_seq);
create index trail_resource_idx on audit.trail (tenant_id, resource_type, resource_id, tenant_seq);
create index trail_refusals_idx on audit.trail (tenant_id, tenant_seq) where status <> 'success';
select read.protect('audit.trail');
delete from read.checkpoints where projection = 'audit_trail';

reset role;
