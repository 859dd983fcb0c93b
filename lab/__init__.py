"""A cloud on one host: systemd-nspawn machines with real Docker engines, and a simulated AWS.

The lab does what AWS and its hardware do for the product: it provides addresses, instances, IAM,
metadata and power. It does nothing that the product does itself. Its daemon imports `runtime`, but
the lab runs the product only as an operator would, through the product's commands.
"""
