// A job card's state and how events change it. Pure: no DOM, no network.

const ENDED = new Set(["completed", "failed", "cancelled"]);

/** State of a card from a snapshot message. */
export function fromSnapshot(message) {
  return { ...message, nodes: message.nodes.map((node) => ({ ...node })), log: [], preview: null };
}

/** State of a card from an item of `GET /api/jobs`, before its snapshot came. */
export function fromListItem(item) {
  const progress = item.status === "completed" ? 1 : 0;
  return { ...item, progress, nodes: [], artifacts: [], approvals: [], log: [], preview: null, seq: -1, listed: true };
}

/** The next state; the same object when the event changes nothing (a repeat). */
export function reduce(state, event) {
  if (event.type === "snapshot") return fromSnapshot(event);
  if (event.seq !== undefined) {
    if (event.seq <= state.seq) return state;
    state = { ...state, seq: event.seq };
  }
  const [family, verb] = event.type.split(".");
  switch (family) {
    case "progress": return withNode(state, event.node, (node) => ({ ...node, ...tickOf(event), progress: Math.max(node.progress, event.progress ?? 0) }));
    case "preview": return { ...state, preview: event.preview };
    case "node": return withNode(state, event.node, (node) => afterVerb(node, verb, event));
    case "job": return afterJob(state, verb, event);
    case "artifact": return { ...state, artifacts: [...state.artifacts.filter((each) => each.id !== event.data.id), { ...event.data, node: event.node }] };
    case "approval": return afterApproval(state, verb, event);
    case "log": return { ...state, log: [...state.log, event.message].slice(-50) };
    default: return state;
  }
}

/** True when a card must read the whole job again: its end brings artifacts and script, a retried gate its question. */
export function needsRefresh(event) {
  return event.type === "job.awaiting_approval" || (event.type.startsWith("job.") && ENDED.has(event.type.slice(4))) || event.type === "node.completed";
}

export function isEnded(state) {
  return ENDED.has(state.status);
}

function tickOf({ stage, step, steps, message, etaSeconds, data }) {
  return Object.fromEntries(Object.entries({ stage, step, steps, message, etaSeconds, metrics: data?.metrics }).filter(([, value]) => value !== undefined));
}

function afterVerb(node, verb, event) {
  const status = verb === "retrying" ? "ready" : verb;
  const progress = verb === "completed" ? 1 : verb === "running" || verb === "retrying" ? 0 : node.progress;
  return { ...node, status, progress, cached: Boolean(event.data?.cached), error: event.data?.error ?? (verb === "failed" ? node.error : null), etaSeconds: undefined };
}

function afterJob(state, verb, event) {
  const status = verb === "retried" ? "running" : verb === "planned" ? state.status : verb;
  const next = { ...state, status, error: event.data?.error ?? (status === "failed" ? state.error : null) };
  if (status === "completed") next.progress = 1;
  return next;
}

function afterApproval(state, verb, event) {
  const others = state.approvals.filter((approval) => approval.node !== event.node);
  if (verb === "answered") return { ...state, approvals: others };
  const { question, questionHash } = event.data;
  return withNode({ ...state, approvals: [...others, { node: event.node, question, questionHash, status: "open" }] }, event.node,
    (node) => ({ ...node, status: "awaiting_approval" }));
}

function withNode(state, path, change) {
  const id = (path ?? "").split("#")[0];
  const folded = (path ?? "").includes("#");
  const nodes = state.nodes.map((node) => {
    if (node.id !== id) return node;
    const changed = change(node);
    // One finished item of a fan-out does not finish its node; the snapshot after it tells the share.
    return folded && changed.status === "completed" ? { ...changed, status: "running", progress: node.progress } : changed;
  });
  const total = nodes.reduce((sum, node) => sum + node.weight, 0);
  const done = nodes.reduce((sum, node) => sum + node.weight * (node.progress || 0), 0);
  return { ...state, nodes, progress: total ? Math.max(state.status === "completed" ? 1 : 0, done / total) : state.progress };
}
