"""What the services keep in CouchDB and InfluxDB: shapes, queries, edges. No service's rules."""
