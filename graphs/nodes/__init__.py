"""The control-plane nodes, one file each, discovered by folder."""
