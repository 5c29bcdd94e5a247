drop function log.organizations_refused_by_notary;
drop table secrets.notary_keys;
drop table audit.notary_states, audit.checkpoints, audit.tree_tiles;
drop policy notary on log.events;
drop policy notary on log.tenants;
revoke select on log.head, log.events, log.tenants from notary;
revoke usage on schema log, audit, secrets from notary;
