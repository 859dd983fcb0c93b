"""Container images for the lab's engines, built without the internet, and their registry."""
