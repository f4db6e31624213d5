"""The rules a plan is proven with, one idea per file."""
