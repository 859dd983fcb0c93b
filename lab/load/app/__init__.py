"""The application of the lab's services; by its settings it starts slowly, stops slowly or fails.

It uses `runtime.web.serving` as our own services do, and imports nothing else of the lab: the image
contains only this package and `runtime`.
"""
