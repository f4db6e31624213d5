"""Where a file came from: the record that every artifact carries, and how each file format holds it."""
