"""Rules that choose without learning from fates: references, data rates by signal strength, balancing of load."""
