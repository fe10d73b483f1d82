"""Measurements of the benchmark and counts of the code; only commands import them."""
