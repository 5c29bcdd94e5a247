drop function log.recorded_at;
