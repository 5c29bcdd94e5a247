drop function log.position_at;
