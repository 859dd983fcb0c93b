"""The application that the lab's test services run; it can start slowly, stop slowly or fail.

Like Spotswarm's own services, the application uses `runtime.web.serving`. It must not import other
modules of the lab, because its image contains only this package and `runtime`.
"""
