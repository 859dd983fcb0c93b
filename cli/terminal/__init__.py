"""What subcommands share at the terminal: options, tables, live displays, exit codes, durations.

A table that only one subcommand prints is in that subcommand's module.
"""
