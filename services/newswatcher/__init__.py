"""Reads RSS and Atom feeds and stores their articles in CouchDB.

The ml service analyses the stored articles.

Rule: an entry counts as seen only if its article is stored. A feed's ETag is kept only if all the
feed's entries have been seen. Otherwise, the next response would be 304, and the unseen entries
would be lost.
"""
