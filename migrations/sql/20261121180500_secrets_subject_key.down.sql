set role annals_owner;
drop function secrets.subject_key;
reset role;
