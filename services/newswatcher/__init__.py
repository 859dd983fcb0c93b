"""Feeds in, articles out, into CouchDB. What an article means is the ml service's."""
