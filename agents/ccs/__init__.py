"""The coordination service of coexisting learning networks (paper 000)."""
