"""The lab's machines: systemd-nspawn containers, with their image, cgroups and networks."""
