"""Runs the parsers of untrusted text in a process that can be killed.

`Parser` is the client. `worker` is the program that runs in the process.

Rule: a feed, page or robots.txt file that takes too much time or memory, or crashes the process,
costs only itself.
"""
