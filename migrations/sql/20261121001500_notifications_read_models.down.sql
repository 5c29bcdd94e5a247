drop table read.notifications_notifications;
