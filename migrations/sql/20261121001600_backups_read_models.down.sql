drop table read.backups_backups;
