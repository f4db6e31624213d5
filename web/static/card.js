// Draws one job card from its state. Text goes in as text, never as HTML.

import { seconds } from "./seconds.js";

const MODES = { generate: "Generate", train_and_generate: "Train+Generate", goal: "Goal", template: "Template", plan: "Plan" };
const LOOKS = { svd: "animated scenes", sadtalker: "talking portrait" };

export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (key === "class") node.className = value;
    else if (key === "style") node.style.cssText = value; // a style attribute would break the page's policy
    else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** Fill `root` with the card. The player is kept while its video stays the same, so that it does not restart. */
export function draw(root, state, actions) {
  const player = root.querySelector("video");
  const draft = root.querySelector(".gate textarea"); // what a person typed outlives every event
  const typing = draft && document.activeElement === draft;
  const video = state.artifacts.find((item) => item.kind === "video" && item.role === "output");
  root.replaceChildren(
    media(state, video, player) ?? "",
    el("div", { class: "body" },
      el("header", {}, el("h3", { title: state.title }, state.title || "Untitled job"), el("span", { class: `pill ${state.status}` }, words(state.status))),
      el("p", { class: "facts" }, facts(state)),
      bar(state.progress, state.status, "whole job"),
      nodes(state),
      trouble(state),
      gate(state, actions, draft),
      script(state),
      badges(state),
      files(state),
      buttons(state, actions)));
  if (typing && draft.isConnected) draft.focus();
}

function media(state, video, player) {
  const thumbnail = state.artifacts.find((item) => item.role === "thumbnail");
  if (video) {
    if (player?.dataset.id === video.id) return player;
    return el("video", { controls: true, preload: "metadata", playsinline: true, "data-id": video.id, "aria-label": state.title,
      poster: thumbnail && `/api/artifacts/${thumbnail.id}/content`, src: `/api/artifacts/${video.id}/content` });
  }
  const picture = state.preview ?? (thumbnail ? `/api/artifacts/${thumbnail.id}/content` : state.thumbnail);
  return picture ? el("img", { class: "shot", src: picture, alt: state.preview ? "preview of the running job" : "" }) : null;
}

function facts(state) {
  const mode = MODES[state.mode] ?? state.mode;
  const parts = [state.variant ? `${mode} · ${LOOKS[state.variant] ?? state.variant}` : mode];
  if (state.profileId) parts.push(`profile ${state.profileId.slice(0, 8)}`);
  if (state.createdAt) parts.push(new Date(state.createdAt).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" }));
  const eta = Math.max(0, ...state.nodes.filter((node) => node.status === "running").map((node) => node.etaSeconds ?? 0));
  if (state.status === "completed" && state.quote?.actual_s != null) parts.push(`quoted ${seconds(state.quote.p50_s)}, took ${seconds(state.quote.actual_s)}`);
  if (eta > 1 && state.status === "running") parts.push(`about ${Math.round(eta)} s left`);
  return parts.join(" · ");
}

function bar(progress, status, label) {
  const percent = Math.round(100 * (progress || 0));
  return el("div", { class: `bar ${status}`, role: "progressbar", "aria-valuenow": percent, "aria-valuemin": 0, "aria-valuemax": 100, "aria-label": label },
    el("i", { style: `width:${percent}%` }));
}

function nodes(state) {
  if (!state.nodes.length) return null;
  return el("ul", { class: "nodes" }, ...state.nodes.map((node) => {
    const what = node.status === "running" ? [node.stage, node.steps ? `${node.step}/${node.steps}` : null, node.metrics?.loss === undefined ? null : `loss ${node.metrics.loss.toPrecision(3)}`, `${Math.round(100 * node.progress)} %`].filter(Boolean).join(" · ")
      : node.status === "completed" && node.cached ? "from an earlier job"
      : node.status === "completed" && node.seconds !== undefined ? (node.seconds < 0.1 ? "< 0.1 s" : `${node.seconds.toFixed(1)} s`) : words(node.status);
    return el("li", { title: node.task }, el("span", { class: `mark ${node.status}`, "aria-hidden": "true" }), el("span", {}, node.id),
      bar(node.progress, node.status, node.id), el("span", { class: "what" }, what));
  }));
}

function trouble(state) {
  if (!state.error || state.status === "completed") return null;
  const { code, message, hint, node } = state.error;
  return el("div", { class: "trouble", role: "alert" }, el("strong", {}, `${node ? `${node}: ` : ""}${message}`),
    el("div", { class: "note" }, [code, hint].filter(Boolean).join(" · ")));
}

function gate(state, actions, draft) {
  const open = state.approvals.find((approval) => approval.status === "open");
  if (!open) return null;
  const value = open.question.value ?? {};
  const kept = draft?.dataset.question === open.questionHash;
  const box = kept ? draft : el("textarea", { "aria-label": "script to approve", "data-question": open.questionHash });
  if (!kept) box.value = value.narrative ?? JSON.stringify(value, null, 2);
  const edited = () => (value.narrative === undefined ? JSON.parse(box.value) : { ...value, narrative: box.value });
  return el("div", { class: "gate" }, el("p", {}, open.question.question), box, el("div", { class: "buttons" },
    el("button", { class: "small", onclick: () => actions.approve(open, "approve", edited()) }, "Approve"),
    el("button", { class: "small quiet", onclick: () => actions.approve(open, "reject") }, "Reject")));
}

function script(state) {
  if (!state.script || state.approvals.some((approval) => approval.status === "open")) return null;
  return el("div", { class: "script" }, el("p", {}, state.script.narrative),
    el("small", {}, [state.script.model && `written by ${state.script.model}`, state.script.note].filter(Boolean).join(". ")));
}

function badges(state) {
  const entries = Object.entries(state.backends ?? {});
  return entries.length ? el("div", { class: "badges" }, ...entries.map(([node, backend]) => el("span", { class: "pill" }, `${node}: ${backend}`))) : null;
}

function files(state) {
  if (!state.artifacts.length) return null;
  return el("p", { class: "files-list" }, ...state.artifacts.map((item) =>
    el("a", { href: `/api/artifacts/${item.id}/content`, target: "_blank", rel: "noopener" }, `${item.name} (${size(item.size_bytes)})`)));
}

function buttons(state, actions) {
  const shown = [];
  if (["queued", "planning", "running", "awaiting_approval"].includes(state.status)) shown.push(["Cancel", actions.cancel]);
  if (state.status === "failed") shown.push(["Retry", actions.retry]);
  if (state.title) shown.push(["Use this goal again", actions.reuse]);
  return el("div", { class: "buttons" }, ...shown.map(([label, act]) => el("button", { class: "small quiet", onclick: act }, label)));
}

const words = (status) => String(status).replaceAll("_", " ");
const size = (bytes) => (bytes > 1e6 ? `${(bytes / 1e6).toFixed(1)} MB` : `${Math.max(1, Math.round(bytes / 1e3))} kB`);
