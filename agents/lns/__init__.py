"""Learning network servers."""
