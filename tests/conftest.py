"""Settings shared by the whole suite: hypothesis draws the same examples on every machine."""

from hypothesis import settings

settings.register_profile("equisym", deadline=None, derandomize=True, database=None)
settings.load_profile("equisym")
