"""scripts.service_training"""
