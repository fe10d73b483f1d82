"""Studies of MMALoRa."""
