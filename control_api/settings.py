"""Settings of the API process, from the environment with prefix `REELGRAPH_API_`."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class ApiSettings(BaseSettings):
    """Every setting of the API. Start fails listing all bad variables."""

    model_config = SettingsConfigDict(env_prefix="REELGRAPH_API_", extra="ignore")

    host: str = Field(default="127.0.0.1", description="Address to bind.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port to bind.")
    api_key: SecretStr | None = Field(default=None, description="Needed to bind anything but loopback.")
    dsn: SecretStr = Field(description="postgresql://USER:PASSWORD@HOST:PORT/DATABASE")
    redis_url: str = Field(description="redis://HOST:PORT/DB")
    s3_endpoint: str = Field(description="HOST:PORT of the S3 server.")
    s3_public_endpoint: str | None = Field(default=None, description="HOST:PORT in signed links, if another one.")
    s3_access_key: str = Field(description="S3 access key.")
    s3_secret_key: SecretStr = Field(description="S3 secret key.")
    s3_secure: bool = Field(default=False, description="Use TLS to S3.")
    template_folder: Path | None = Field(default=None, description="Folder with your own graph templates.")
    node_packages: str = Field(default="", description="More packages of control-plane nodes, comma separated.")
    web_folder: Path = Field(default=Path(__file__).parent.parent / "web" / "static", description="The static page.")
    allowed_origins: str = Field(default="", description="More browser origins that may connect, comma separated.")
    max_open_jobs: int = Field(default=0, ge=0, description="Open jobs per caller; 0 means no limit.")
    max_plan_nodes: int = Field(default=64, ge=1, le=256, description="Nodes of a submitted plan, at most.")
    planner_llm: str = Field(
        default="",
        pattern=r"^(embedded|(ollama|openai|anthropic):\S+)?$",
        description="Model of the planning mode `llm`: `embedded`, `ollama:MODEL`, `openai:MODEL`, `anthropic:MODEL`.",
    )
    planner_llm_base_url: str | None = Field(
        default=None, description="Address of that model's server, where it is not the usual one."
    )
    planner_llm_api_key: SecretStr | None = Field(
        default=None, description="Key for it; else the provider's own variable is used."
    )
    planner_llm_timeout_s: float = Field(default=90.0, gt=0, description="Seconds to wait for one of its answers.")
    time_scale: float = Field(default=1.0, gt=0, le=1, description="Scales leases and sweeps; tests use 0.05-0.2.")

    @property
    def lease_s(self) -> float:
        """Seconds a job's or run's lease lasts."""
        return 15.0 * self.time_scale

    @property
    def origins(self) -> frozenset[str]:
        """Browser origins that may connect besides our own page."""
        return frozenset(part.strip() for part in self.allowed_origins.split(",") if part.strip())

    @property
    def host_names(self) -> frozenset[str] | None:
        """The names we answer to: on loopback only those of this machine, which stops DNS rebinding."""
        bound = self.host == "localhost" or _is_loopback(self.host)
        return frozenset({"127.0.0.1", "localhost", "[::1]", self.host}) if bound else None

    @model_validator(mode="after")
    def _loopback_or_key(self) -> ApiSettings:
        if self.host != "localhost" and not _is_loopback(self.host) and self.api_key is None:
            raise ValueError(f"refusing to bind {self.host} without REELGRAPH_API_API_KEY: set one, or bind 127.0.0.1")
        return self


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
