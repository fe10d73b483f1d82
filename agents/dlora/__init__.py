"""agents.dlora"""
