"""Control-plane nodes that only tests use."""
