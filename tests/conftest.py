"""What every test may use. The fixtures themselves are in `tests/services.py`."""

pytest_plugins = ["tests.services"]
