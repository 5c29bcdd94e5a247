revoke usage on schema work from command_api;
drop table work.webhooks_answers;
drop table work.webhooks_deliveries;
drop table read.webhooks_endpoints;
