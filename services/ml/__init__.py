"""What an article means: sentiment, symbols, topics. It reads and writes articles, fetches none.

Rule: raise `version.VERSION` with every change of what an analysis says. Articles whose analysis is
of an older version, or of another text, are analysed anew; all others never again.
"""
