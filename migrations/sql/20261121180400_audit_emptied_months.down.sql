set role annals_owner;

revoke select (kid, public_key, created_at) on secrets.notary_keys from workers;
drop function read.drop_emptied_month;

reset role;
