// Shows diagnostics where they belong: at a step of the plan, at a field of the form, the rest in a list.

import { el } from "./card.js";

const FIELDS = [
  ["/goal", "goal"], ["/requested_variant", "variant"], ["/constraints/max_duration_seconds", "duration"],
  ["/constraints/max_resolution", "resolution"], ["/inputs/images", "files"],
];

/** Split diagnostics into {byNode: Map id -> [...], byField: Map element id -> [...], rest: [...]}. */
export function placed(diagnostics, nodes) {
  const [byNode, byField, rest] = [new Map(), new Map(), []];
  const add = (map, key, item) => map.set(key, [...(map.get(key) ?? []), item]);
  for (const item of diagnostics) {
    const node = nodes?.[/^\/nodes\/(\d+)(\/|$)/.exec(item.path)?.[1]];
    const field = FIELDS.find(([path]) => item.path === path || item.path.startsWith(`${path}/`));
    if (typeof node?.id === "string") add(byNode, node.id, item);
    else if (field) add(byField, field[1], item);
    else rest.push(item);
  }
  return { byNode, byField, rest };
}

/** Write what is said about form fields under them; what was said before goes. */
export function markFields(byField) {
  for (const note of document.querySelectorAll(".field-note")) note.remove();
  for (const [, id] of FIELDS) {
    const control = document.getElementById(id);
    const items = byField.get(id) ?? [];
    for (const name of ["aria-invalid", "aria-describedby"]) control.removeAttribute(name);
    if (!items.length) continue;
    if (worst(items) === "error") control.setAttribute("aria-invalid", "true");
    control.setAttribute("aria-describedby", `${id}-note`);
    control.after(el("span", { id: `${id}-note`, class: `field-note ${worst(items)}` }, items.map((item) => item.message).join("; ")));
  }
}

/** A list of diagnostics; those of a step start with its name, a button that selects it. */
export function list(entries, onSelect) {
  return el("ul", { class: "diagnostics" }, ...entries.map(({ node, item }) =>
    el("li", { class: item.severity },
      el("code", { title: item.path }, item.code.replaceAll("_", " ")),
      node && el("button", { type: "button", class: "link", onclick: () => onSelect(node) }, node),
      el("span", {}, item.message),
      el("span", { class: "note" }, [allowed(item), !item.message.includes(item.hint) && item.hint].filter(Boolean).join(" · ")))));
}

export const worst = (items) => (items.some((item) => item.severity === "error") ? "error" : "warning");

/** What is allowed, unless that is nothing or more than a person reads. */
function allowed({ allowed: what }) {
  const text = Array.isArray(what) ? what.join(", ") : typeof what === "object" ? JSON.stringify(what ?? "") : String(what ?? "");
  return text && text !== '""' && text.length <= 120 ? `allowed: ${text}` : "";
}
