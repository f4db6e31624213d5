"""Plan to durable run: templates, control-plane nodes, compiler, engine, ledger, dispatch."""
