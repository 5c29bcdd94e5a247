drop table audit.trail;
