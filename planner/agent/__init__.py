"""The planning agent: a language model proposes a plan by small typed edits, each checked at once."""
