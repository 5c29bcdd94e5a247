-- Sessions that ended with all that rested on their issuer: by a count on the issuer, not by events of their own.
set role annals_owner;

alter table read.identity_sessions add column issuer_endings integer not null default 0;
comment on column read.identity_sessions.issuer_endings is 'how often the sessions that rest on the issuer had been ended before';

create table read.identity_issuer_endings (
  tenant_id uuid not null,
  issuer_id uuid not null,
  number integer not null,
  reason text not null,
  ended_at timestamptz not null,
  primary key (tenant_id, issuer_id, number)
);
comment on table read.identity_issuer_endings is 'when all sessions that rest on an issuer were ended';

select read.protect('read.identity_issuer_endings');

create or replace view read.identity_sessions_shown with (security_invoker = true) as
select s.tenant_id, s.session_id, s.user_id, s.amr, s.ip, s.user_agent, s.rotation, s.expires_at, s.reuse_detected_at,
       least(s.revoked_at, e.ended_at) as revoked_at,
       case when s.revoked_at is null or e.ended_at < s.revoked_at then coalesce(e.reason, s.revocation_reason)
            else s.revocation_reason end as revocation_reason,
       s.version, s.created_at, s.changed_at, s.issuer_id
  from read.identity_sessions s
  left join lateral (
    (select n.ended_at, n.reason
       from read.identity_session_endings n
      where n.tenant_id = s.tenant_id and n.user_id = s.user_id and n.number > s.began_after
        and n.spared_session_id is distinct from s.session_id
      order by n.number limit 1)
    union all
    (select n.ended_at, n.reason
       from read.identity_issuer_endings n
      where n.tenant_id = s.tenant_id and n.issuer_id = s.issuer_id and n.number > s.issuer_endings
      order by n.number limit 1)
    order by 1 limit 1
  ) e on true;
comment on view read.identity_sessions_shown is 'the sessions of users, open and ended, be it with all of their user''s or of their issuer''s';

reset role;
