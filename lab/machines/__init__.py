"""The lab's hardware: systemd machines with their own cgroups and network, and their image."""
