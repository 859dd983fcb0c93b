"""Models, queries and clients for the data that services share in CouchDB and InfluxDB."""
