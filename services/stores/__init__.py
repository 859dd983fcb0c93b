"""The services' data in CouchDB and InfluxDB: models, queries, clients. No service's rules."""
