// The plan as JSON text, checked by the server while a person types.

import { check } from "./api.js";
import { el } from "./card.js";
import { placeOf } from "./json-place.js";

const PAUSE_MS = 350;

/** Return {root, focus(), show(path), close()}: an editor of `graph` that tells `onChecked({graph, answer | error})`. */
export function openEditor(graph, { onChecked, onTyping }) {
  const state = el("p", { class: "editor-state", role: "status" }, "Valid.");
  const box = el("textarea", { class: "json", "aria-label": "plan as JSON", spellcheck: "false", rows: 18 });
  const { digest, ...metadata } = graph.metadata ?? {}; // the server works the digest out again
  box.value = JSON.stringify({ ...graph, metadata }, null, 2);
  let [timer, turn] = [0, 0];

  function say(text, ok) {
    state.textContent = text;
    state.className = `editor-state ${ok ? "ok" : "error"}`;
  }

  async function look() {
    const mine = ++turn;
    let document_;
    try {
      document_ = JSON.parse(box.value);
      if (document_ === null || typeof document_ !== "object" || Array.isArray(document_)) throw new SyntaxError("a plan is an object: { … }");
    } catch (error) {
      say(`This is not JSON: ${error.message}`, false);
      return;
    }
    try {
      const answer = await check(document_);
      if (mine !== turn) return;
      say("Valid.", true);
      onChecked({ graph: document_, answer });
    } catch (error) {
      if (mine !== turn) return;
      const count = error.facts?.diagnostics?.length ?? 0;
      say(count > 1 ? `${count} problems.` : error.message, false);
      onChecked({ graph: document_, error });
    }
  }

  box.addEventListener("input", () => {
    turn += 1; // an answer on the way is about an older text
    clearTimeout(timer);
    onTyping();
    say("Checking …", true);
    timer = setTimeout(look, PAUSE_MS);
  });

  return {
    root: el("div", { class: "editor" }, box, state),
    focus: () => box.focus({ preventScroll: true }),
    /** Select the value at a JSON pointer. */
    show(path) {
      const place = placeOf(box.value, path);
      if (!place) return;
      box.focus();
      box.setSelectionRange(...place);
      const line = box.value.slice(0, place[0]).split("\n").length;
      box.scrollTop = (line - 4) * (box.scrollHeight / box.value.split("\n").length);
    },
    close() {
      turn += 1;
      clearTimeout(timer);
    },
  };
}
