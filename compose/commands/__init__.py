"""The commands of `reelgraph`, one family a file."""
