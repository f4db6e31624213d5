"""The tasks of this project, one file each, discovered by folder."""
