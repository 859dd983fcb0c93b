"""Builds images without pulling any from the internet, and serves them to the lab's engines."""
