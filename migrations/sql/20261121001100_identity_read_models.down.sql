drop table read.identity_sessions;
drop table read.identity_users;
drop table read.identity_units;
drop table read.identity_organizations;
