"""Container images for the lab's engines, made without an internet, and their registry."""
