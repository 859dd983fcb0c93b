"""Access to the web: resolves host names and fetches URLs. Makes no decisions."""
