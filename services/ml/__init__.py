"""Determines the sentiment, symbols and topics of articles, and stores them with the articles.

Rule: raise `version.VERSION` with every change that affects an analysis. An article is analysed
again only if its analysis comes from an older version or if its text has changed.
"""
