"""The API for programs: news, sentiment and quotes by token, with rate limits and usage counts."""
