set role annals_owner;

drop table work.restored;
drop table work.effects;

reset role;
