-- The telephone number among what is shown of users.
set role annals_owner;

alter table read.identity_users add column phone text;

reset role;
