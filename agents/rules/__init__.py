"""agents.rules"""
