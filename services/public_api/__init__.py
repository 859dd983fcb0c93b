"""The site's data for programs: bearer tokens, rate limits, usage. It owns no data but the usage."""
