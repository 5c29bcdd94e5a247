-- How the files of a template are made.
set role annals_owner;

alter table read.exports_templates add column options jsonb not null default '{}';

reset role;
