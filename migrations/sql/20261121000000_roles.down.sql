drop schema secrets cascade;
drop schema work cascade;
drop schema audit cascade;
drop schema read cascade;
drop schema log cascade;
