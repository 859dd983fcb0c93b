"""The website, which shows data from the other services and stores no data itself."""
