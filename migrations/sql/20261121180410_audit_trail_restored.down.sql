set role annals_owner;

drop table audit.trail_restored;

reset role;
