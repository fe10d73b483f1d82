"""Runs of packets: learners decide for the nodes of a scenario, packet by packet."""
