drop table read.identity_invitations;
