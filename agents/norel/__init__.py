"""agents.norel"""
