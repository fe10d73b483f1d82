"""Runs whose learners meet `energy_v0`: planners, and attention critics trained on it, network by network."""
