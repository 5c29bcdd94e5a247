drop table work.timers;
