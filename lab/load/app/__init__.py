"""The test application of the lab's services, which can start slowly, stop slowly or fail.

Like our own services, the application uses `runtime.web.serving`. The application must not import
other modules of the lab, because its image contains only this package and `runtime`.
"""
