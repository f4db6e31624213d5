// Finds where in a JSON text the value of a JSON pointer stands. Pure.

/** Return [start, end] of the value that `pointer` names, of its nearest parent that is there, or null for bad JSON. */
export function placeOf(text, pointer) {
  const wanted = pointer.split("/").slice(1).map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"));
  let [at, best, bestDepth] = [0, null, -1];
  const blank = () => { while (/\s/.test(text[at] ?? "")) at += 1; };
  const string = () => {
    const start = at;
    for (at += 1; text[at] !== '"'; at += 1) if (text[at] === "\\") at += 1;
    at += 1;
    return JSON.parse(text.slice(start, at));
  };
  const value = (path) => {
    blank();
    const start = at;
    if (text[at] === "{" || text[at] === "[") {
      const [isMap, close] = [text[at] === "{", text[at] === "{" ? "}" : "]"];
      at += 1;
      for (let n = 0; blank(), text[at] !== close; n += 1) {
        if (n) at += 1; // the comma
        blank();
        const key = isMap ? string() : String(n);
        if (isMap) blank(), (at += 1); // the colon
        value([...path, key]);
      }
      at += 1;
    } else if (text[at] === '"') string();
    else while (at < text.length && !/[\s,\]}]/.test(text[at])) at += 1;
    if (path.length > bestDepth && path.every((token, n) => token === wanted[n])) [best, bestDepth] = [[start, at], path.length];
  };
  try {
    JSON.parse(text);
  } catch {
    return null;
  }
  value([]);
  return best;
}
