"""Reads RSS and Atom feeds and stores their articles in CouchDB. The ml service analyses them.

Rule: an entry counts as seen only when its article is stored, and a feed's ETag is kept only when
all its entries are seen. Otherwise the next answer would be 304 and the rest would be lost.
"""
