drop table read.collaboration_comments;
