drop table secrets.subject_keys;
revoke usage on schema secrets from projectors;
