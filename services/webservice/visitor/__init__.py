"""Who is visiting: cookies, sessions and their renewal, CSRF tokens, redirects after sign-in."""
