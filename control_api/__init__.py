"""The control API: REST, WebSocket and the static page; the only package that joins planner and graphs."""
