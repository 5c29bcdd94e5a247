-- Functions go first: dropping the tables would take along those that name them.
drop function log.load, log.versions, log.claimant, log.span, log.find, log.stream, log.append, log.add_partition;
drop table log.snapshots, log.idempotency, log.claims, log.streams, log.events, log.tenants, log.head cascade;
drop function log.refuse_change;
drop aggregate log.chain(bytea, bytea, bytea);
drop function log.link, log.digest, log.part;
