"""Feeds in, articles out, into CouchDB. What an article means is the ml service's.

Rule: an entry of a feed counts as seen only when its article is written, and a feed's ETag is kept
only when all its entries are seen: otherwise the next answer is 304 and the rest is lost.
"""
