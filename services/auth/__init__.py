"""The sign-in service: accounts, logins and API tokens.

The sign-in service identifies a token's account and scopes. The service that received the token
decides what each scope permits.
"""
