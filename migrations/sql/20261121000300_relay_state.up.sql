-- What the relay remembers of the stream it fills, so that it notices when somebody else made that stream anew.
set role annals_owner;

create table log.relay (
  only_row boolean primary key default true check (only_row),
  epoch integer not null,
  stream_created_ns bigint not null,
  stream_sequence bigint not null,
  published_position bigint not null,
  saved_at timestamptz not null default now()
) with (fillfactor = 50);
comment on table log.relay is 'how far the relay has published and into which stream; a hint that may lag, never the truth';

reset role;

alter table log.relay enable row level security;
alter table log.relay force row level security;
create policy everyone on log.relay using (true);
grant select, insert, update on log.relay to relay;
grant select on log.relay to projectors, query_api, workers, auditor;
