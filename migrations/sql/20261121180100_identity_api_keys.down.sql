drop view read.identity_api_keys_used;
drop table work.identity_api_key_uses;
drop table read.identity_api_keys;
alter table audit.trail drop column api_key_id;
revoke usage on schema work from command_api, projectors;
