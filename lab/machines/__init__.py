"""The lab's hardware: systemd machines with their own cgroups and networks, and their image."""
