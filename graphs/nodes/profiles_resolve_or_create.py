"""`profiles.resolveOrCreate`: the profile that trained models will belong to."""

from uuid import UUID, uuid5

from graphs.registry import Inputs, NodeContext, NodeError, Outputs, Params, node

_NAMESPACE = UUID("0c7f5d1e-8f55-4f0c-9f52-2f4f7a1b6f10")


class ResolveParams(Params):
    """An existing profile to reuse, or the name of the new one."""

    profile_id: str | None = None
    name: str | None = None


@node("profiles.resolveOrCreate")
async def resolve_or_create(ctx: NodeContext, params: ResolveParams, inputs: Inputs) -> Outputs:
    """Reuse the named profile, else create one whose id follows from the job: a repeat creates no second one."""
    if params.profile_id:
        profile = await ctx.profiles.get(params.profile_id)
        if profile is None:
            raise NodeError("not_found", f"no such profile {params.profile_id!r}", hint="GET /api/profiles lists yours")
    else:
        name = params.name or str(ctx.request.get("topic") or "Profile")[:80]
        profile = await ctx.profiles.create(uuid5(_NAMESPACE, f"{ctx.job_id}/{ctx.node_id}"), name=name)
    return {"profile": profile.model_dump(mode="json", exclude={"createdAt"})}
