"""The application that the cluster runs: a market-news site. Each folder holds one service."""
