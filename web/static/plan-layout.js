// Places the nodes of a plan in layers, so that every edge leads onwards. Pure: sizes in, coordinates out, in pixels.
// Source: Sugiyama, Tagawa, Toda 1981: layers by longest path, barycentre ordering, long edges through waypoints.

const SWEEPS = 8;
const MARGIN = 6;

/**
 * Lay out `boxes` ({id, width, height}) joined by `edges` ({from, to}).
 * `across`: layers side by side (left to right), else one below the other. `compact`: as narrow as the widest layer,
 * with less straight edges.
 * Returns {width, height, boxes: [{id, x, y, width, height}], edges: [{from, to, points: [[x, y], ...]}]}.
 */
export function layOut(boxes, edges, { across, compact = false, gap = 22, layerGap = 46 }) {
  // Inside, `depth` runs along the layers and `breadth` across them, whichever way the drawing faces.
  const cells = new Map(boxes.map((box) => [box.id, { id: box.id, depth: across ? box.width : box.height, breadth: across ? box.height : box.width, before: [], after: [] }]));
  const chains = acyclic(cells, edges);
  assignLayers(cells, chains);
  for (const chain of chains) insertWaypoints(cells, chain);
  const layers = ordered(cells);
  compact ? layers.forEach((layer) => spread(layer, layer.map(() => 0), gap)) : place(layers, gap);
  const depths = layers.map((layer) => Math.max(...layer.map((cell) => cell.depth)));
  const starts = depths.map((_, n) => MARGIN + depths.slice(0, n).reduce((sum, depth) => sum + depth + layerGap, 0));
  const low = Math.min(...[...cells.values()].map((cell) => cell.at - cell.breadth / 2)) - MARGIN;
  const high = Math.max(...[...cells.values()].map((cell) => cell.at + cell.breadth / 2)) + MARGIN;
  const total = starts.at(-1) + depths.at(-1) + MARGIN;
  const point = (depth, breadth) => (across ? [depth, breadth - low] : [breadth - low, depth]);
  const placed = boxes.map((box) => {
    const cell = cells.get(box.id);
    const slack = across ? 0 : (depths[cell.layer] - cell.depth) / 2;
    const [x, y] = point(starts[cell.layer] + slack, cell.at - cell.breadth / 2);
    return { ...box, x, y };
  });
  const where = new Map(placed.map((box) => [box.id, box]));
  const routes = chains.map(({ edge, path }) => {
    const [from, to] = [where.get(edge.from), where.get(edge.to)];
    const out = across ? [from.x + from.width, from.y + from.height / 2] : [from.x + from.width / 2, from.y + from.height];
    const into = across ? [to.x, to.y + to.height / 2] : [to.x + to.width / 2, to.y];
    const middle = path.slice(1, -1).flatMap((cell) => [point(starts[cell.layer], cell.at), point(starts[cell.layer] + depths[cell.layer], cell.at)]);
    return { from: edge.from, to: edge.to, points: [out, ...middle, into] };
  });
  return { width: across ? total : high - low, height: across ? high - low : total, boxes: placed, edges: routes };
}

/** Return a chain {edge, path: [cell, cell]} for every edge between known nodes that closes no cycle. */
function acyclic(cells, edges) {
  const following = new Map([...cells.keys()].map((id) => [id, []]));
  const known = [...new Map(edges.filter(({ from, to }) => cells.has(from) && cells.has(to) && from !== to).map((edge) => [`${edge.from} ${edge.to}`, edge])).values()];
  const reaches = (from, to, seen = new Set()) => from === to || (!seen.has(from) && Boolean(seen.add(from)) && following.get(from).some((next) => reaches(next, to, seen)));
  return known.filter(({ from, to }) => !reaches(to, from) && following.get(from).push(to)).map((edge) => ({ edge, path: [cells.get(edge.from), cells.get(edge.to)] }));
}

/** Put every cell as early as its longest chain of predecessors allows, then sources next to what needs them. */
function assignLayers(cells, chains) {
  for (const cell of cells.values()) cell.layer = 0;
  for (let changed = true; changed; ) {
    changed = false;
    for (const { path: [from, to] } of chains) {
      if (to.layer <= from.layer) [to.layer, changed] = [from.layer + 1, true];
    }
  }
  for (const cell of cells.values()) {
    const needing = chains.filter(({ path }) => path[0] === cell).map(({ path }) => path[1].layer);
    if (needing.length && !chains.some(({ path }) => path[1] === cell)) cell.layer = Math.min(...needing) - 1;
  }
}

/** Lead a chain over a waypoint in every layer that it passes. */
function insertWaypoints(cells, chain) {
  const [from, to] = chain.path;
  const waypoints = Array.from({ length: to.layer - from.layer - 1 }, (_, n) => ({ layer: from.layer + n + 1, depth: 0, breadth: 12, before: [], after: [] }));
  for (const waypoint of waypoints) cells.set(Symbol("waypoint"), waypoint);
  chain.path = [from, ...waypoints, to];
  chain.path.slice(1).forEach((cell, n) => {
    cell.before.push(chain.path[n]);
    chain.path[n].after.push(cell);
  });
}

/** Return the layers with their cells in an order of few crossings. */
function ordered(cells) {
  const layers = [];
  for (const cell of cells.values()) (layers[cell.layer] ??= []).push(cell);
  const settle = () => layers.forEach((layer) => layer.forEach((cell, n) => (cell.rank = n)));
  settle();
  let [best, fewest] = [layers.map((layer) => [...layer]), crossings(layers)];
  for (let sweep = 0; sweep < SWEEPS && fewest; sweep += 1) {
    const side = sweep % 2 ? "after" : "before";
    for (const layer of sweep % 2 ? [...layers].reverse() : layers) {
      const centre = (cell) => (cell[side].length ? mean(cell[side].map((other) => other.rank)) : cell.rank);
      layer.sort((a, b) => centre(a) - centre(b) || a.rank - b.rank);
      layer.forEach((cell, n) => (cell.rank = n));
    }
    const count = crossings(layers);
    if (count < fewest) [best, fewest] = [layers.map((layer) => [...layer]), count];
  }
  return best;
}

function crossings(layers) {
  let count = 0;
  for (const layer of layers) {
    const ends = layer.flatMap((cell) => cell.after.map((next) => [cell.rank, next.rank]));
    for (const [n, [a, b]] of ends.entries()) for (const [c, d] of ends.slice(n + 1)) count += (a - c) * (b - d) < 0;
  }
  return count;
}

/** Give every cell its centre `at`: close to its neighbours' centres, `gap` away from those beside it. */
function place(layers, gap) {
  for (const layer of layers) spread(layer, layer.map((_, n) => n), gap);
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    const side = sweep % 2 ? "after" : "before";
    for (const layer of sweep % 2 ? [...layers].reverse() : layers) {
      spread(layer, layer.map((cell) => (cell[side].length ? mean(cell[side].map((other) => other.at)) : cell.at)), gap);
    }
  }
}

/** Set `at` as near to what each cell wants as its neighbours allow, without moving the layer's centre of gravity. */
function spread(layer, wanted, gap) {
  let edge = -Infinity;
  for (const [n, cell] of layer.entries()) {
    cell.at = Math.max(wanted[n], edge + cell.breadth / 2);
    edge = cell.at + cell.breadth / 2 + gap;
  }
  const shift = mean(layer.map((cell, n) => wanted[n] - cell.at));
  for (const cell of layer) cell.at += shift;
}

const mean = (numbers) => numbers.reduce((sum, each) => sum + each, 0) / numbers.length;
