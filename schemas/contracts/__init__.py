"""The fixed ports of every task name, by domain. Data only."""
