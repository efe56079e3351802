"""Settings for all tests: seeded, and without deadlines, since kernels compile on their first call."""

from hypothesis import settings

settings.register_profile("rsprep", deadline=None, derandomize=True)
settings.load_profile("rsprep")
