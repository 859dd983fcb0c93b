"""All CLI code that accesses the leader's socket, Docker or the secret stores."""
