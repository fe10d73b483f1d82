"""Studies of coexisting networks and the coordination service."""
