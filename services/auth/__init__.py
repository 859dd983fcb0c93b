"""The sign-in service: accounts, logins and API tokens.

For each token, it returns the token's account and scopes. Each service decides what a scope
permits.
"""
