"""The API as its callers see it: parameters, shapes of answers, the OpenAPI document."""
