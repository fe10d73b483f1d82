"""Attacks on everything that comes from outside, and how often each was tried: `scripts/attack.py` runs them."""
