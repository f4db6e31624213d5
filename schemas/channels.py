"""Names in Redis that both planes must agree on. Values are ids and small JSON only."""

EVENTS = "rg:events:{job_id}"  # Pub/Sub: durable events (with seq) and lossy ticks of one job
EVENTS_PATTERN = "rg:events:*"
WAKE = "rg:wake"  # Pub/Sub: a job id that has something to advance
DOORBELL = "rg:doorbell:{queue}"  # Pub/Sub: a message was enqueued
CANCEL = "rg:cancel"  # Pub/Sub: a job id whose live runs must stop
MANIFEST = "rg:manifest:{boot}"  # key with time to live: one worker's advertised capabilities
MANIFEST_PATTERN = "rg:manifest:*"
MANIFEST_CHANGED = "rg:manifest-changed"  # Pub/Sub: re-read the manifests
TICKS = "rg:ticks:{job_id}"  # hash node -> latest tick, expires

MANIFEST_TTL_S = 15
BROKER_NAMESPACE = "rg"
ACTOR = "run_node"  # the one generic Dramatiq actor: run_node(job_id, node_path)
DEFAULT_QUEUE = "cpu"
GPU_QUEUE = "gpu"
CONTROL_QUEUE = "control"  # served by the API's own runner, never by the broker
