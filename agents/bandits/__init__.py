"""agents.bandits.cucb"""
