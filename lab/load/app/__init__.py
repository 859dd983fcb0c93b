"""The application the lab's services run: it is slow to start, slow to stop or sick, as told.

It stands on `runtime.web.serving` as our own services do, and imports nothing else of the lab: the
image holds no more than this package and `runtime`.
"""
