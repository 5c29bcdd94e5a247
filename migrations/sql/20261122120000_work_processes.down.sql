drop table work.processes;
