"""Runs of coexisting networks: servers that learn, and ways of coordinating them."""
