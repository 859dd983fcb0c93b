"""A cloud on one machine: booted systemd machines with real engines, an AWS stand-in, metadata.

The lab does what AWS and its hardware do for the product: addresses, instances, IAM, metadata,
power. It does nothing that the product does itself. It imports `runtime` for its own daemon, and
runs the product only as an operator would: by its commands, never by its modules.
"""
