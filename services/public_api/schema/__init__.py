"""The API as its callers see it: parameters, answers, and the OpenAPI document made from them."""
