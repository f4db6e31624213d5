"""Speech: text to narration with word and phoneme times."""
