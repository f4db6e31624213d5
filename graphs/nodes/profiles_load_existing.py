"""`profiles.loadExisting`: a profile with its trained LoRA and voice; it must exist."""

from graphs.registry import Inputs, NodeContext, NodeError, Outputs, Params, node


class NoParams(Params):
    """Nothing to set."""


@node("profiles.loadExisting")
async def load_existing(ctx: NodeContext, params: NoParams, inputs: Inputs) -> Outputs:
    """Load the caller's profile."""
    profile_id = str(inputs.get("profile_id") or "")
    profile = await ctx.profiles.get(profile_id) if profile_id else None
    if profile is None:
        raise NodeError("not_found", f"no such profile {profile_id!r}", hint="GET /api/profiles lists yours")
    return {"profile": profile.model_dump(mode="json", exclude={"createdAt"})}
