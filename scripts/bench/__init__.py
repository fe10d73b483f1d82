"""scripts.bench"""
