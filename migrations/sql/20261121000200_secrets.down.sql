drop table secrets.signing_keys, secrets.secrets;
revoke usage on schema secrets from query_api;
