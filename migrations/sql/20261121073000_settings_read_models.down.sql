drop table read.settings_flags;
drop table read.settings_settings;
