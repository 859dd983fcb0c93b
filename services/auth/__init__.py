"""Who somebody is: accounts, logins, API tokens. What they may is decided where it is read."""
