"""Who somebody is: accounts, login tokens, API tokens. What they may read is decided where it is read."""
