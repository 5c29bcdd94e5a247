-- The read model of notifications.
set role annals_owner;

create table read.notifications_notifications (
  tenant_id uuid not null,
  notification_id uuid not null,
  user_id uuid not null,
  kind text not null,
  title text not null,
  message text not null,
  link jsonb,
  priority text not null,
  read_at timestamptz,
  version bigint not null,
  created_at timestamptz not null,
  changed_at timestamptz not null,
  primary key (tenant_id, notification_id)
);
comment on table read.notifications_notifications is 'what stands in people''s inboxes';
create index notifications_notifications_user_id_idx on read.notifications_notifications (tenant_id, user_id, created_at, notification_id);
create index notifications_notifications_unread_idx on read.notifications_notifications (tenant_id, user_id) where read_at is null;

select read.protect('read.notifications_notifications');

reset role;
