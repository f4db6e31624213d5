"""How the planning agent reaches a language model."""
