create or replace view read.identity_sessions_shown with (security_invoker = true) as
select s.tenant_id, s.session_id, s.user_id, s.amr, s.ip, s.user_agent, s.rotation, s.expires_at, s.reuse_detected_at,
       least(s.revoked_at, e.ended_at) as revoked_at,
       case when s.revoked_at is null or e.ended_at < s.revoked_at then coalesce(e.reason, s.revocation_reason)
            else s.revocation_reason end as revocation_reason,
       s.version, s.created_at, s.changed_at, s.issuer_id
  from read.identity_sessions s
  left join lateral (
    select n.ended_at, n.reason
      from read.identity_session_endings n
     where n.tenant_id = s.tenant_id and n.user_id = s.user_id and n.number > s.began_after
       and n.spared_session_id is distinct from s.session_id
     order by n.number limit 1
  ) e on true;
comment on view read.identity_sessions_shown is 'the sessions of users, open and ended, be it with all of their user''s';

drop table read.identity_issuer_endings;
alter table read.identity_sessions drop column issuer_endings;
