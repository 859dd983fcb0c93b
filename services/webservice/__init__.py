"""The site: pages for people. It stores no data of its own; it shows that of other services."""
