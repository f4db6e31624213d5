"""`planner.selectPipeline`: the rendering variant and its backend, chosen from what is live when the node runs."""

from graphs.registry import Inputs, NodeContext, NodeError, Outputs, Params, node
from schemas.states import FailureKind


class SelectParams(Params):
    """The variant that the plan's render node carries."""

    requested_variant: str | None = None


@node("planner.selectPipeline")
async def select_pipeline(ctx: NodeContext, params: SelectParams, inputs: Inputs) -> Outputs:
    """Keep the requested variant when it is live; never swap it silently."""
    found = ctx.manifest.find("render_video")
    live = list(found[1].variants or ()) if found and found[1].enabled else []
    if not live:
        raise NodeError(
            "task_disabled",
            "no live worker offers render_video",
            kind=FailureKind.DEPENDENCY,
            hint="start a worker: `reelgraph worker`; GET /api/capabilities tells what is live",
        )
    variant = params.requested_variant or ("svd" if "svd" in live else live[0])
    if variant not in live:
        raise NodeError(
            "variant_unavailable", f"variant {variant!r} is not live now", got=variant, allowed=live,
            kind=FailureKind.DEPENDENCY,
        )  # fmt: skip
    profile = inputs.get("profile") or {}
    used = {key: profile[key] for key in ("loraId", "voiceId") if profile.get(key)}
    backends = (found[1].backends if found else None) or {}
    return {"pipeline": {"variant": variant, "backend": backends.get(variant), "params": used}}
