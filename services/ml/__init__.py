"""Analyses articles: sentiment, symbols and topics. It reads and writes stored articles only.

Rule: raise `version.VERSION` with every change that affects an analysis. Articles with an analysis
of an older version or of a different text are analysed again, all others never.
"""
