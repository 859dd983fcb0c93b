"""The sign-in service: accounts, logins and API tokens.

This service verifies a token and returns the token's account and scopes. Other services decide what
each scope permits.
"""
