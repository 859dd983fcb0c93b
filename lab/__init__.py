"""A cloud on one host: systemd-nspawn machines with real Docker engines, and a simulated AWS.

The lab provides what AWS would provide: addresses, instances, IAM, metadata and power. It does
nothing that the product itself should do. Its daemon imports the product's `runtime` package, but
the lab runs the product only through commands, as an operator would.
"""
