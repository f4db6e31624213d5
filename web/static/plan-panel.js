// The plan before it runs: what it costs, its graph, why it is so, what is wrong with it; Run, Edit, Close.

import { el } from "./card.js";
import { list, markFields, placed } from "./diagnostics.js";
import { openEditor } from "./plan-editor.js";
import { drawGraph } from "./plan-graph.js";
import { seconds } from "./seconds.js";

/**
 * Return {show(answer), refuse(error), outdate(), close()} for the element `root`; `onRun(graph)` submits.
 * What is shown is {graph?, estimate?, rationale?, diagnostics?, error?, edited?}: an answer of /api/plan, or why there is none.
 */
export function planPanel(root, { onRun }) {
  let [shown, selected, editor, room] = [null, null, null, 0];
  let typing = false; // the editor's text is another plan than the one that is shown

  const run = el("button", { type: "button", class: "run", onclick: start }, "Run this plan");
  const edit = el("button", { type: "button", class: "quiet edit", onclick: toggleEditor }, "Edit");
  const shut = el("button", { type: "button", class: "quiet", onclick: close }, "Close");
  const summary = el("div", { role: "status" });
  const head = el("div", { class: "plan-head" }, summary, el("div", { class: "buttons" }, run, edit, shut));
  const [stage, about, found, drawer] = ["plan-stage", "plan-about", "plan-found", "plan-drawer"].map((name) => el("div", { class: name }));
  const stale = el("p", { class: "stale note", role: "status" });
  root.replaceChildren(head, stale, stage, about, found, drawer);
  new ResizeObserver(() => shown?.graph && stage.clientWidth !== room && draw()).observe(stage);

  async function start() {
    run.disabled = true;
    await onRun(shown.graph);
    run.disabled = typing || Boolean(shown?.error);
  }

  function open(next) {
    closeEditor();
    [shown, selected] = [next, null];
    stale.textContent = "";
    root.hidden = false;
    draw();
    root.scrollIntoView({ block: "nearest" });
  }

  function close() {
    closeEditor();
    shown = null;
    root.hidden = true;
    markFields(new Map());
  }

  function closeEditor() {
    editor?.close();
    [editor, typing] = [null, false];
    drawer.replaceChildren();
    edit.setAttribute("aria-expanded", "false");
  }

  function toggleEditor() {
    if (editor) {
      closeEditor();
      draw();
      return;
    }
    editor = openEditor(shown.graph, { onTyping: () => (run.disabled = typing = true), onChecked: take });
    drawer.replaceChildren(editor.root);
    edit.setAttribute("aria-expanded", "true");
    editor.focus();
  }

  function take({ graph, answer, error }) {
    [shown, typing] = [{ ...answer, graph, error, edited: true }, false];
    draw();
  }

  function select(id) {
    selected = selected === id && !editor ? null : id;
    draw();
    if (editor) editor.show(`/nodes/${shown.graph.nodes.findIndex((node) => node?.id === id)}`);
    else [...stage.querySelectorAll("[data-node]")].find((step) => step.dataset.node === id)?.focus();
  }

  function draw() {
    const { graph, estimate, rationale, error, edited } = shown;
    const diagnostics = (error ? error.facts.diagnostics : shown.diagnostics) ?? [];
    const { byNode, byField, rest } = placed(diagnostics, graph?.nodes);
    const entries = [...[...byNode].flatMap(([node, items]) => items.map((item) => ({ node, item }))), ...rest.map((item) => ({ item }))];
    const drawable = graph && tidy(graph);
    run.disabled = typing || Boolean(error);
    run.hidden = edit.hidden = !graph;
    markFields(byField);
    summary.replaceChildren(...(error ? refusal(error, entries.length && diagnostics.filter((item) => item.severity === "error").length) : quote(estimate)));
    stage.hidden = !drawable;
    room = stage.clientWidth;
    if (drawable) {
      const quotes = new Map((estimate?.nodes ?? []).map((item) => [item.node, item]));
      const drawing = drawGraph(drawable, { quotes, problems: byNode, critical: estimate?.critical_path ?? [], room, onSelect: select, selected });
      stage.replaceChildren(el("div", { class: "plan-frame" }, drawing), legend(estimate));
    }
    const step = selected && !editor && drawable?.nodes.find((node) => node.id === selected);
    about.replaceChildren(...[step && facts(step, estimate?.nodes.find((item) => item.node === selected)),
      rationale && !edited && el("p", {}, el("strong", {}, "Why this plan. "), rationale)].filter(Boolean));
    found.replaceChildren(...(entries.length ? [list(entries, select)] : []));
  }

  return {
    show: open,
    refuse: (error) => open({ error }),
    outdate: () => (stale.textContent = "The form has changed since. This is the plan of before; press Plan for another one."),
    close,
  };
}

function quote(estimate) {
  const [count, recorded] = [estimate.nodes.length, estimate.nodes.filter((item) => item.source === "recorded").length];
  const known = recorded === count ? "from recorded runs" : recorded ? `${recorded} of ${count} steps from recorded runs` : "a guess: nothing was recorded here yet";
  const needs = [estimate.vram_gib && `${estimate.vram_gib} GiB of GPU memory`, estimate.disk_gib && `${estimate.disk_gib} GiB of disk`].filter(Boolean);
  return [el("h2", {}, `About ${seconds(estimate.p50_s)}, up to ${seconds(estimate.p90_s)}`),
    el("p", { class: "note" }, [known, needs.length && `needs ${needs.join(" and ")}`].filter(Boolean).join(" · "))];
}

/** `count`: how many problems the list shows; without any, the error speaks for itself. */
function refusal(error, count) {
  return [el("h2", {}, count > 1 ? `This cannot run: ${count} problems` : "This cannot run"), ...(count ? [] : [el("p", { class: "error" }, error.text ?? String(error))])];
}

function legend(estimate) {
  return el("p", { class: "legend note" }, el("span", { class: "key control" }, "in the API process"), el("span", { class: "key python" }, "on a worker"),
    estimate && el("span", { class: "key hot" }, "longest chain"), estimate?.nodes.some((item) => item.source === "default") && el("span", {}, "≈ a guess"));
}

/** What a step does, for the one that is selected. */
function facts(node, item) {
  const rows = [["task", node.task], ["runs", node.plane === "python" ? "on a worker" : "in the API process"], ["takes", item && took(item)],
    ...Object.entries(node.inputs ?? {}).map(([port, source]) => [`${port} from`, source]),
    ...Object.entries(node.params ?? {}).map(([name, value]) => [name, typeof value === "string" ? value : JSON.stringify(value)])];
  return el("section", { class: "step-facts", "aria-label": `step ${node.id}` }, el("h3", {}, node.id),
    el("dl", {}, ...rows.filter(([, value]) => value !== undefined).flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, String(value))])));
}

function took(item) {
  if (item.source === "cached") return "nothing: its result is at hand";
  const runs = item.source === "recorded" ? `from ${item.runs} recorded ${item.runs === 1 ? "run" : "runs"}` : "a guess";
  return `about ${seconds(item.p50_s)}, up to ${seconds(item.p90_s)} (${runs})`;
}

/** What of a half-edited plan can be drawn; null when there is nothing. */
function tidy(graph) {
  const listed = Array.isArray(graph.nodes) ? graph.nodes.filter((node) => typeof node?.id === "string") : [];
  const nodes = [...new Map(listed.map((node) => [node.id, node])).values()];
  return nodes.length ? { nodes, edges: Array.isArray(graph.edges) ? graph.edges.filter(Boolean) : [] } : null;
}
