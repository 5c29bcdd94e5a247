-- What the commands of triggers come to, and what acted for somebody in the trail.
set role annals_owner;

alter table read.scheduling_triggers
  add column last_answered_at timestamptz,
  add column last_aggregate_id text,
  add column last_refusal_code text,
  add column last_refusal text,
  add column refusals bigint not null default 0;

alter table audit.trail add column through text;
alter table audit.trail_restored add column through text;

-- What happened before commands were carried out stays without one.
insert into work.reactions (name, position)
select 'scheduling_carry_out', position from log.head where position > 0
on conflict do nothing;

reset role;
