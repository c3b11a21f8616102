"""Settings for all tests."""

from hypothesis import settings

# No test fails for being slow: machines pause.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
