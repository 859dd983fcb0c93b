"""Clients that the services use to call each other: one module for each service."""
