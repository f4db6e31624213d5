"""Plan templates, one file each."""
