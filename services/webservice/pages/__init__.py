"""One module per page: its handlers, and the values for its template. No rules belong here."""
