-- Signing keys can be ended before their time: `annals keys revoke`, as command-api.
grant update (not_after) on secrets.signing_keys to command_api;
