"""Small tasks with one behaviour each, for tests of the worker and of whole jobs."""
