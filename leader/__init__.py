"""The leader daemon: decides who belongs to the swarm.

`daemon` keeps the stance and starts a `term` when this manager leads. A term turns the outside
into events, `decide` answers events with actions, and the term carries them out through `edges`.
The questions behind the decisions are in `joining`, `leaving`, `moving` and `upkeep`, the values
in `view`, the answers for operators in `report`. Of these only `daemon`, `settings`, `term` and
`edges` do I/O. What an instance does for itself belongs in `agent/`, what both must agree on in
`wire/`.
"""
