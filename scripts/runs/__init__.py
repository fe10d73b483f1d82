"""scripts.runs"""
