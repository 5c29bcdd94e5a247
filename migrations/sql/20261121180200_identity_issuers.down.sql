alter table read.identity_sessions drop column issuer_id;
alter table read.identity_users drop column identities, drop column email_confirmed;
drop table read.identity_issuers;
