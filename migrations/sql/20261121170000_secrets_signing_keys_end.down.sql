revoke update (not_after) on secrets.signing_keys from command_api;
