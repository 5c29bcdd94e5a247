set role annals_owner;
alter table read.identity_users drop column phone;
reset role;
