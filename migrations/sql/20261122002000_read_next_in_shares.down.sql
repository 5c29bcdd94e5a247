set role annals_owner;

drop function read.next_share, read.next_key;

reset role;
