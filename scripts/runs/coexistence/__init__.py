"""Runs of coexisting networks: the strategies that configurations name, their environment, results and pictures."""
