"""The sign-in service: accounts, logins and API tokens.

It says whose a token is and which scopes it has. Each service decides what a scope permits.
"""
