"""A cloud on one machine: booted systemd machines with real engines, an AWS stand-in, metadata.

Here belongs what AWS and its hardware do for the product: addresses, instances, IAM, metadata,
power. Not here: anything the product does itself. The lab imports `runtime` for its own daemon
and runs the product only as an operator would, by its commands, never by its modules.
"""
