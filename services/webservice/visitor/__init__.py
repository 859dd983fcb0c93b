"""Identifies visitors: cookies, sessions, renewals, CSRF tokens and redirects after sign-in."""
