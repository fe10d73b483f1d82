"""scripts.studies.ccs"""
