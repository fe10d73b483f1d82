"""Studies of NoReL."""
