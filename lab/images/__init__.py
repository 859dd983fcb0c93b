"""Container images for the lab's engines, built without internet access, and their registry."""
