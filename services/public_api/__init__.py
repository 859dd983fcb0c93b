"""The API for programs: news, sentiment and quotes, with API tokens and rate limits."""
