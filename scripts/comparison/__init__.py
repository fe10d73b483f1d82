"""What `compare.py` is made of: who meets on which scenario, playing it, what came out, and how it is shown."""
