drop function read.protect(regclass);
drop function read.next_drop(text, text);
drop function read.next_swap(text, text);
drop function read.next_index(text, text);
drop function read.next_begin(text, text);
drop function read.model(text, text);
drop table read.parked;
drop table read.checkpoints;
revoke usage on schema read from relay;
