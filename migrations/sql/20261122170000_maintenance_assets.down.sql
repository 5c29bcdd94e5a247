drop view read.maintenance_shares;
drop view read.maintenance_usage;
drop table read.maintenance_asset_shares;
drop table read.maintenance_asset_usage;
drop table read.maintenance_assets;
