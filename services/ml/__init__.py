"""What an article means: sentiment, symbols, topics. It reads and writes articles, and fetches none."""
