set role annals_owner;

delete from work.reactions where name = 'scheduling_carry_out';

alter table audit.trail_restored drop column through;
alter table audit.trail drop column through;

alter table read.scheduling_triggers
  drop column refusals,
  drop column last_refusal,
  drop column last_refusal_code,
  drop column last_aggregate_id,
  drop column last_answered_at;

reset role;
