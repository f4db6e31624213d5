"""The packaged facts: a compressed WordNet extract and the script that builds it."""
