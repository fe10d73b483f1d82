"""agents.coexistence"""
