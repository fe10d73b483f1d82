"""scripts.studies.dlora"""
