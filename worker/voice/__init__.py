"""Voice matching: from a recording to a profile that makes a packaged voice sound more like it."""
