set role annals_owner;

revoke select on read.checkpoints from command_api;
revoke usage on schema read from command_api;

reset role;
