// The page: lists recent jobs by REST, attaches the WebSocket, submits goals.

import * as api from "./api.js";
import { draw, el } from "./card.js";
import { markFields, placed } from "./diagnostics.js";
import { planPanel } from "./plan-panel.js";
import { fromListItem, isEnded, needsRefresh, reduce } from "./reducer.js";
import { openSocket } from "./socket.js";

const $ = (id) => document.getElementById(id);
const states = new Map(); // job id -> state
const roots = new Map(); // job id -> element
const uploads = { uris: [], pending: null };
let cursor = null;

const socket = openSocket({
  onState(name) {
    $("connection").textContent = name;
    $("connection").className = `pill ${name}`;
  },
  onMessage(event) {
    const before = states.get(event.jobId);
    if (!before) return;
    change(event.jobId, reduce(before, event));
    if (needsRefresh(event)) refresh(event.jobId);
  },
});

function change(jobId, state) {
  if (states.get(jobId) === state && !roots.get(jobId).dataset.stale) return;
  states.set(jobId, state);
  const root = roots.get(jobId);
  if (root.dataset.stale) return;
  root.dataset.stale = "1"; // draw once a frame, however many events came
  requestAnimationFrame(() => {
    delete root.dataset.stale;
    draw(root, states.get(jobId), actionsOf(jobId));
  });
}

async function refresh(jobId) {
  try {
    const job = await api.getJob(jobId);
    const known = states.get(jobId);
    if (job.seq < known.seq) return;
    change(jobId, { ...known, ...job, approvals: job.approvals.filter((each) => each.status === "open") });
    if (isEnded(job) && job.status !== "failed") socket.unwatch(jobId); // a failed one may be retried at any moment
  } catch (error) {
    console.warn(error);
  }
}

function add(state, { first = false } = {}) {
  if (states.has(state.jobId)) return;
  const root = el("article", { class: "card", id: `job-${state.jobId}`, "aria-label": state.title });
  states.set(state.jobId, state);
  roots.set(state.jobId, root);
  first ? $("cards").prepend(root) : $("cards").append(root);
  draw(root, state, actionsOf(state.jobId));
  $("empty").hidden = true;
  if (isEnded(state)) refresh(state.jobId);
  if (!isEnded(state) || state.status === "failed") socket.watch(state.jobId, () => states.get(state.jobId).seq);
}

function actionsOf(jobId) {
  const guarded = (work) => async (...args) => {
    try {
      await work(...args);
    } catch (error) {
      say(error);
    }
  };
  return {
    cancel: guarded(() => api.cancel(jobId)),
    retry: guarded(async () => {
      socket.watch(jobId, () => states.get(jobId).seq);
      await api.retry(jobId);
    }),
    approve: guarded((open, decision, value) => api.approve(jobId, { node: open.node, questionHash: open.questionHash, decision, value })),
    reuse: () => {
      $("goal").value = states.get(jobId).goal ?? states.get(jobId).title;
      $("goal").focus();
    },
  };
}

async function loadPage() {
  const page = await api.listJobs(cursor);
  for (const item of page.items) add(fromListItem(item));
  cursor = page.next;
  $("more").hidden = !cursor;
  $("empty").hidden = states.size > 0;
}

function body() {
  const constraints = {};
  let goal = $("goal").value.trim();
  if ($("duration").value) goal = `${goal.replace(/[.\s]+$/, "")}. Make it ${$("duration").value} seconds long.`;
  if ($("resolution").value) goal = `${goal.replace(/[.\s]+$/, "")}. In ${$("resolution").value}.`;
  if ($("approve").checked) goal = `${goal.replace(/[.\s]+$/, "")}. Let me approve the script first.`;
  return { goal, requested_variant: $("variant").value || null, constraints, inputs: uploads.uris.length ? { images: uploads.uris } : {} };
}

function say(error) {
  $("form-error").textContent = error instanceof api.ApiError ? error.text : String(error);
  $("form-error").hidden = false;
  $("form-error").scrollIntoView({ block: "nearest" });
}

/** Run `work` with the form's button disabled; a refusal is said at the form, and at the fields it is about. */
async function guarded(button, work) {
  $("form-error").hidden = true;
  $(button).disabled = true;
  try {
    await uploads.pending;
    await work();
  } catch (error) {
    say(error);
    markFields(placed(error.facts?.diagnostics ?? []).byField);
  } finally {
    $(button).disabled = false;
  }
}

$("submit").addEventListener("submit", (event) => {
  event.preventDefault();
  guarded("go", async () => {
    const wanted = body();
    const { jobId, status } = await api.submit(wanted);
    add(fromListItem({ jobId, status, title: wanted.goal, mode: "goal", variant: wanted.requested_variant, createdAt: new Date().toISOString() }), { first: true });
    panel.close();
  });
});

$("plan").addEventListener("click", () => $("submit").reportValidity() && guarded("plan", async () => {
  const answer = await api.plan(body()).catch((error) => error);
  if (answer instanceof api.ApiError && answer.code === "offline") throw answer;
  answer instanceof Error ? panel.refuse(answer) : panel.show(answer);
}));

const panel = planPanel($("planned"), {
  // Always the graph itself, even unedited: planning the goal again could give another plan than the one that was
  // read and agreed to (a worker left, a model thought anew). Its context carries goal and uploads, so that title and
  // inputs are those of the form.
  onRun: (graph) => guarded("go", async () => {
    const { jobId, status } = await api.submit({ plan: graph });
    const { goal, topic } = graph.context ?? {};
    add(fromListItem({ jobId, status, title: goal ?? topic ?? graph.workflow_id, mode: "plan", createdAt: new Date().toISOString() }), { first: true });
    panel.close();
    $(`job-${jobId}`).scrollIntoView({ block: "nearest" });
  }),
});
$("submit").addEventListener("input", () => panel.outdate());

$("files").addEventListener("change", () => {
  uploads.uris = [];
  $("files-state").textContent = "checking";
  uploads.pending = (async () => {
    try {
      for (const file of $("files").files) uploads.uris.push((await api.upload(file)).uri);
      $("files-state").textContent = uploads.uris.length ? `${uploads.uris.length} ready` : "";
    } catch (error) {
      $("files-state").textContent = "refused";
      $("files").value = "";
      uploads.uris = [];
      say(error);
    }
  })();
});

$("more").addEventListener("click", () => loadPage().catch(say));
loadPage().catch(say);
