"""What the services keep in CouchDB and InfluxDB: shapes, queries, one edge each. No service's rules."""
