drop table read.scheduling_blackout_calendars;
drop table read.scheduling_triggers;
