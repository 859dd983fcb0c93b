"""What every command shares at the terminal: tables, live displays, exit codes, durations."""
