"""The pages. Each module has a page's handlers and prepares the values for its template."""
