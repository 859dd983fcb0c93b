"""What the operator's command touches: the leader's admin socket, SSM, directories."""
