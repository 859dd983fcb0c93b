"""The only code of the command line that does I/O: the leader's socket, Docker, secrets."""
