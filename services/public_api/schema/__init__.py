"""The API's parameters and responses, and the OpenAPI document generated from both."""
