"""The solver: backward chaining over port types from what is wanted to what is at hand."""
