"""Terminal code that subcommands share: options, tables, live displays, exit codes and durations.

A table that only one subcommand prints belongs in that subcommand's module.
"""
