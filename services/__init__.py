"""The application the cluster was built for: a market-news site, one folder per service."""
