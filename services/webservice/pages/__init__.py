"""The site's pages. Each module handles one page and prepares the values for its template."""
