"""Studies of the D-LoRa papers."""
