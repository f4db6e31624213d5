"""The tests, by speed and need."""
