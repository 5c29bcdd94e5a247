drop function log.of_policy;
drop index log.events_policy_mentions;
drop function log.mentioned;
