"""Clients that the services use to call other services. There is one module for each service."""
