"""What two processes must agree on: data models, names, states, errors and SQL. It knows no client library."""
