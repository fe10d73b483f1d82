"""scripts.studies.norel"""
