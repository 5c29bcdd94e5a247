drop view read.identity_sessions_shown;
drop table read.identity_session_endings;
alter table read.identity_sessions drop column began_after;
