"""What every test may use. The fixtures themselves are in `tests/services.py` and `tests/apps.py`."""

pytest_plugins = ["tests.services", "tests.apps"]
