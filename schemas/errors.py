"""Every error a user can see, with its stable code and HTTP status. It knows no web framework."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from schemas.diagnostics import Diagnostic


class ErrorBody(BaseModel):
    """The one error shape of the API, the CLI and `job.error`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str
    message: str
    path: str | None = None
    got: Any = None
    allowed: Any = None
    hint: str | None = None
    diagnostics: list[Diagnostic] | None = None
    retry_after_s: float | None = None


class ReelgraphError(Exception):
    """The root: raised when a request or a run cannot go on for a reason a person can act on."""

    code = "internal_error"
    status = 500

    def __init__(
        self,
        message: str,
        *,
        path: str | None = None,
        got: Any = None,
        allowed: Any = None,
        hint: str | None = None,
        diagnostics: list[Diagnostic] | None = None,
        retry_after_s: float | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.body = ErrorBody(
            code=code or self.code,
            message=message,
            path=path,
            got=got,
            allowed=allowed,
            hint=hint,
            diagnostics=diagnostics,
            retry_after_s=retry_after_s,
        )

    def to_json(self) -> dict[str, Any]:
        """Return `{"error": {...}}` without empty fields."""
        return {"error": self.body.model_dump(mode="json", exclude_none=True)}


class ValidationFailed(ReelgraphError):
    """Raised when a body, parameter or goal is malformed."""

    code = "validation_error"
    status = 422


class UnsatisfiableGoal(ReelgraphError):
    """Raised when no valid plan exists for the goal under the manifest."""

    code = "unsatisfiable_goal"
    status = 422


class VariantUnavailable(ReelgraphError):
    """Raised when the task is live and the requested variant is not."""

    code = "variant_unavailable"
    status = 422


class InvalidPlan(ReelgraphError):
    """Raised when a submitted plan breaks a rule; `diagnostics` holds every problem."""

    code = "invalid_plan"
    status = 422


class UnsafeInput(ReelgraphError):
    """Raised when an input is outside what the caller may use, or its content is not what it claims."""

    code = "unsafe_input"
    status = 422


class NotFound(ReelgraphError):
    """Raised when an id is unknown, malformed or belongs to someone else."""

    code = "not_found"
    status = 404


class IllegalState(ReelgraphError):
    """Raised when the verb is not legal in the state the thing is in."""

    code = "illegal_state"
    status = 409


class Conflict(ReelgraphError):
    """Raised when an idempotency key was used with another body, or an answer came to another question."""

    code = "conflict"
    status = 409


class TooLarge(ReelgraphError):
    """Raised when a body or upload is over its limit."""

    code = "too_large"
    status = 413


class QuotaExceeded(ReelgraphError):
    """Raised when the caller has too much open work or sends too fast."""

    code = "quota_exceeded"
    status = 429


class DependencyDown(ReelgraphError):
    """Raised when Postgres, S3 or the broker cannot be reached; try again later."""

    code = "dependency_down"
    status = 503
