"""Painted backgrounds, one family a file; `catalogue.py` names them all."""
