"""scripts.studies.mmalora"""
