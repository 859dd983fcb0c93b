"""The site's data for programs: tokens, rate limits, usage. It owns no data but the usage."""
