drop table log.relay;
