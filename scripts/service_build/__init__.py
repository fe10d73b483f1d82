"""scripts.service_build"""
