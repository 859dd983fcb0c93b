"""Clients that the services use to call other services, with one module for each service."""
