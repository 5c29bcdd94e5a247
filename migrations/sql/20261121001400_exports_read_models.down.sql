drop table read.exports_exports;
