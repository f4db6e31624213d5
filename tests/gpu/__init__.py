"""Tests that need a GPU: full-size networks with random weights, memory and speed."""
