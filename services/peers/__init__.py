"""The services' clients of each other's APIs: one module per service that is called."""
