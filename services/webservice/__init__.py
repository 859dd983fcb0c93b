"""The website. It stores no data and shows data from the other services."""
