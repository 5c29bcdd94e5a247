-- A command that is asked to wait says in which read models it can be seen; for that the door looks how far they are. It sees
-- no row of theirs.
set role annals_owner;

grant usage on schema read to command_api;
grant select on read.checkpoints to command_api;

reset role;
