// Draws a plan as SVG: a box a step, coloured by plane, the longest chain in bold, problems at their step.
// Names come from outside and go in as text. No ids, no styles, no script in the drawing.

import { layOut } from "./plan-layout.js";
import { seconds } from "./seconds.js";

const SVG = "http://www.w3.org/2000/svg";
const [WIDTHS, LINE, PAD, LEFT] = [[232, 208, 188, 172, 156, 144], 19, 11, 17];
const PLANES = { node: "in the API process", python: "on a worker" };
const pen = document.createElement("canvas").getContext("2d");

/**
 * Return the drawing of `graph` for a space of `room` pixels.
 * `quotes`: node id -> its estimate; `problems`: node id -> diagnostics; `critical`: ids of the longest chain.
 */
export function drawGraph(graph, { quotes, problems, critical, room, onSelect, selected }) {
  const drawing = fitted(graph, problems, room);
  const chain = new Set(critical.slice(1).map((id, n) => `${critical[n]} ${id}`));
  const steps = new Map(graph.nodes.map((node) => [node.id, node]));
  const isHot = (edge) => chain.has(`${edge.from} ${edge.to}`);
  const edges = [...drawing.edges].sort((a, b) => isHot(a) - isHot(b)).map((edge) =>
    svg("g", { class: `edge${isHot(edge) ? " hot" : ""}` }, svg("path", { d: curve(edge.points, drawing.across) }), arrow(edge.points.at(-1), drawing.across)));
  const boxes = drawing.boxes.map((box) => step(steps.get(box.id), box, {
    quote: quotes.get(box.id), troubles: problems.get(box.id) ?? [], hot: critical.includes(box.id), onSelect, isSelected: box.id === selected }));
  return svg("svg", { class: "graph", viewBox: `0 0 ${drawing.width} ${drawing.height}`, width: drawing.width, height: drawing.height, role: "group", "aria-label": `plan with ${graph.nodes.length} steps` },
    ...edges, ...boxes);
}

/** Lay out left to right when that fits the room, else top to bottom, with narrower boxes where it must be. */
function fitted(graph, problems, room) {
  const attempt = (across, width, compact) => {
    const boxes = graph.nodes.map(({ id }) => ({ id, width, height: 2 * PAD + LINE * (problems.get(id)?.length ? 3 : 2) - 4 }));
    return { across, ...layOut(boxes, graph.edges, { across, compact, layerGap: across ? 40 : 28, gap: across ? 18 : 12 }) };
  };
  let drawing;
  for (const across of [true, false]) {
    for (const width of WIDTHS) {
      for (const compact of across ? [false] : [false, true]) if ((drawing = attempt(across, width, compact)).width <= room) return drawing;
    }
  }
  return drawing; // the narrowest; its frame scrolls
}

function step(node, box, { quote, troubles, hot, onSelect, isSelected }) {
  const worst = troubles.some((item) => item.severity === "error") ? "error" : troubles.length ? "warning" : "";
  const takes = !quote ? "" : quote.source === "cached" ? "at hand" : quote.p50_s ? `${quote.source === "default" ? "≈ " : ""}${seconds(quote.p50_s)}` : "";
  const right = box.width - PAD;
  const beside = width(takes, "600 12px") + 8; // in a narrow box the seconds stand beside the task, not the name
  const lower = box.width < 170;
  const task = node.params?.variant ? `${node.task} (${node.params.variant})` : String(node.task ?? "");
  const label = [node.id, node.task, PLANES[node.plane], takes && `about ${takes.replace("≈ ", "")}`, hot && "on the longest chain", ...troubles.map((item) => item.message)];
  const group = svg("g", {
    class: `step ${node.plane === "python" || node.plane === "data" ? "python" : "control"}${hot ? " hot" : ""} ${worst}`, transform: `translate(${box.x} ${box.y})`,
    role: "button", tabindex: 0, "aria-pressed": String(isSelected), "aria-label": label.filter(Boolean).join(", "), "data-node": node.id },
    svg("title", {}, `${node.id}: ${node.task}`),
    svg("rect", { class: "box", width: box.width, height: box.height, rx: 10 }),
    svg("rect", { class: "plane", x: 6, y: 9, width: 4, height: box.height - 18, rx: 2 }),
    svg("text", { class: "name", x: LEFT, y: PAD + 11 }, clipped(node.id, "600 14px", right - LEFT - (lower ? 0 : beside))),
    svg("text", { class: "takes", x: right, y: PAD + 11 + (lower ? LINE : 0), "text-anchor": "end" }, takes),
    svg("text", { class: "task", x: LEFT, y: PAD + 11 + LINE }, clipped(`${node.foreach ? "each: " : ""}${task}`, "12px", right - LEFT - (lower ? beside : 0))));
  if (worst) group.append(svg("text", { class: "trouble-line", x: LEFT, y: PAD + 11 + 2 * LINE }, clipped(`! ${troubles[0].message}`, "12px", right - LEFT)));
  const select = () => onSelect(node.id);
  group.addEventListener("click", select);
  group.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    select();
  });
  return group;
}

/** A smooth path through the points, leaving and entering along the direction of the drawing. */
function curve(points, across) {
  return points.map(([x, y], n) => {
    if (n === 0) return `M${x} ${y}`;
    const [px, py] = points[n - 1];
    if (n % 2 === 0) return `L${x} ${y}`; // straight past a layer
    return across ? `C${(px + x) / 2} ${py} ${(px + x) / 2} ${y} ${x} ${y}` : `C${px} ${(py + y) / 2} ${x} ${(py + y) / 2} ${x} ${y}`;
  }).join(" ");
}

function arrow([x, y], across) {
  return svg("path", { class: "tip", d: across ? `M${x} ${y}l-7 -4v8z` : `M${x} ${y}l-4 -7h8z` });
}

function width(text, font) {
  pen.font = `${font} system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif`;
  return pen.measureText(text).width;
}

/** The text, or as much of it as fits with an ellipsis. */
function clipped(text, font, room) {
  if (width(text, font) <= room) return text;
  let end = text.length;
  while (end > 1 && width(`${text.slice(0, end)}…`, font) > room) end -= 1;
  return `${text.slice(0, end)}…`;
}

function svg(tag, props, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(props)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}
