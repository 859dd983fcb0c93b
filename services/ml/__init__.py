"""Determines the sentiment, symbols and topics of articles, and stores them with the articles.

Rule: increase `version.VERSION` with every change that affects the analysis results. An article is
analysed again only if its text changes or its analysis has an older version.
"""
