"""Speed claims as runnable commands; each prints a table, none is a test."""
