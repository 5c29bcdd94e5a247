drop table read.files_links;
