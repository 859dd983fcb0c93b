"""The application that runs on the cluster: a market-news site, divided into services."""
