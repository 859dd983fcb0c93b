"""Access to the web: resolves names and fetches bytes. Decides nothing."""
