"""Writing spoken scripts: facts, composer, embedded model and chat models behind one protocol."""
