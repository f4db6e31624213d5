"""Prometheus metrics of the API process."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest


class Metrics:
    """One registry per app, so that tests can build several."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter("http_requests_total", "Answered requests", ["route", "status"], registry=self.registry)
        self.seconds = Histogram(
            "http_request_duration_seconds",
            "Seconds to answer",
            ["route"],
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=self.registry,
        )
        self.submitted = Counter("jobs_submitted_total", "Accepted jobs", ["mode"], registry=self.registry)
        self.jobs = Gauge("jobs", "Jobs by status", ["status"], registry=self.registry)
        self.queue = Gauge(
            "node_runs_waiting", "Node runs by queue and state", ["queue", "state"], registry=self.registry
        )
        self.sockets = Gauge("websocket_clients_connected", "Open sockets", registry=self.registry)
        self.connections = Counter("websocket_connections_total", "Accepted sockets", registry=self.registry)
        self.received = Counter("websocket_messages_received_total", "Messages from clients", registry=self.registry)
        self.sent = Counter("websocket_messages_sent_total", "Messages to clients", registry=self.registry)
        self.lifetime = Histogram("websocket_client_lifetime_seconds", "Seconds a socket lived", registry=self.registry)
        self.socket_errors = Counter("websocket_errors_total", "Sockets closed for being slow", registry=self.registry)

    def text(self) -> bytes:
        """Return the exposition format."""
        return generate_latest(self.registry)
