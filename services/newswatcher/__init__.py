"""Reads RSS and Atom feeds and stores their articles in CouchDB.

The ml service analyses the stored articles.

Rule: an entry counts as seen only if its article is stored, and a feed's ETag is kept only if all
the feed's entries have been seen. Otherwise the feed's server would return 304 to the next request,
and the remaining entries would be lost.
"""
