drop table read.files_files;
