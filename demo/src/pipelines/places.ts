/**
 * Where nodes stand: layers from left to right, sources first, and which node is next to another.
 *
 * Invariant: pure, and the same for the same document.
 */
import type { TaskGraphJson } from 'holdfast/graph';
import { edgesOf } from './catalog.ts';
import type { GraphDocument, Position } from './graph-document.ts';

export interface Size {
  readonly width: number;
  readonly height: number;
}

export const kUsualSize: Size = { width: 200, height: 120 };
const kBetweenLayers = 64;
const kBetweenNodes = 28;
/** Of an edge that passes. */
const kPassing = 16;
const kSweeps = 4;

export type SizeOf = (id: string) => Size | undefined;

/** What stands in a layer: a node, or the place where an edge passes by on its way to a later one. */
interface Spot {
  /** undefined: an edge passes. */
  readonly id: string | undefined;
  readonly before: Spot[];
  readonly after: Spot[];
  readonly height: number;
  order: number;
  y: number;
}

/** How many nodes lead to each, on the longest way. */
function depths(document: TaskGraphJson): Map<string, number> {
  const left = new Map(document.tasks.map(({ id }) => [id, edgesOf(document, id).incoming.length]));
  const open = document.tasks.filter(({ id }) => left.get(id) === 0).map(({ id }) => id);
  const depth = new Map(document.tasks.map(({ id }) => [id, 0]));
  for (let at = 0; at < open.length; at++) {
    const id = open[at]!;
    for (const { targetTaskId } of edgesOf(document, id).outgoing) {
      depth.set(targetTaskId, Math.max(depth.get(targetTaskId)!, depth.get(id)! + 1));
      const waits = left.get(targetTaskId)! - 1;
      left.set(targetTaskId, waits);
      if (waits === 0) open.push(targetTaskId);
    }
  }
  return depth;
}

/** Each node behind all that it waits for, and a spot in each layer that an edge passes. */
function layersOf(document: TaskGraphJson, size: (id: string) => Size): Spot[][] {
  const depth = depths(document);
  const layers: Spot[][] = [];
  const put = (id: string | undefined, layer: number): Spot => {
    const spots = (layers[layer] ??= []);
    const spot: Spot = { id, before: [], after: [], height: id === undefined ? kPassing : size(id).height, order: spots.length, y: 0 };
    spots.push(spot);
    return spot;
  };
  const spotOf = new Map(document.tasks.map(({ id }) => [id, put(id, depth.get(id)!)]));
  const isKnown = new Set<string>();
  for (const { sourceTaskId, targetTaskId } of document.dataflows) {
    const pair = JSON.stringify([sourceTaskId, targetTaskId]);
    if (isKnown.has(pair)) continue;
    isKnown.add(pair);
    let from = spotOf.get(sourceTaskId)!;
    const last = depth.get(targetTaskId)!;
    for (let layer = depth.get(sourceTaskId)! + 1; layer <= last; layer++) {
      const next = layer === last ? spotOf.get(targetTaskId)! : put(undefined, layer);
      from.after.push(next);
      next.before.push(from);
      from = next;
    }
  }
  return layers;
}

const meanOf = (spots: readonly Spot[], what: (spot: Spot) => number, otherwise: number): number => (spots.length === 0 ? otherwise : spots.reduce((sum, spot) => sum + what(spot), 0) / spots.length);

/** Spots of a layer in the order of what they hang on, so that edges cross less. */
function untangle(layers: readonly Spot[][]): void {
  for (let sweep = 0; sweep < kSweeps; sweep++) {
    const isForward = sweep % 2 === 0;
    for (const layer of isForward ? layers.slice(1) : layers.slice(0, -1).reverse()) {
      const weights = new Map(layer.map((spot) => [spot, meanOf(isForward ? spot.before : spot.after, ({ order }) => order, spot.order)]));
      layer.sort((one, other) => weights.get(one)! - weights.get(other)! || one.order - other.order);
      layer.forEach((spot, order) => void (spot.order = order));
    }
  }
}

const centreOf = ({ y, height }: Spot): number => y + height / 2;

/** Spots come to stand beside what they hang on, as far as there is room. */
function settle(layers: readonly Spot[][]): void {
  for (const layer of layers) {
    let y = 0;
    for (const spot of layer) {
      spot.y = y;
      y += spot.height + kBetweenNodes;
    }
    for (const spot of layer) spot.y -= y / 2;
  }
  for (let sweep = 0; sweep < kSweeps * 2; sweep++) {
    const isForward = sweep % 2 === 0;
    for (const layer of isForward ? layers.slice(1) : layers.slice(0, -1).reverse()) {
      const wanted = layer.map((spot) => meanOf(isForward ? spot.before : spot.after, centreOf, centreOf(spot)) - spot.height / 2);
      const down = [...wanted];
      for (let at = 1; at < layer.length; at++) down[at] = Math.max(down[at]!, down[at - 1]! + layer[at - 1]!.height + kBetweenNodes);
      const up = [...wanted];
      for (let at = layer.length - 2; at >= 0; at--) up[at] = Math.min(up[at]!, up[at + 1]! - layer[at]!.height - kBetweenNodes);
      layer.forEach((spot, at) => void (spot.y = (down[at]! + up[at]!) / 2));
    }
  }
}

/** All nodes anew. */
export function tidied(document: TaskGraphJson, sizeOf: SizeOf = () => undefined): Record<string, Position> {
  const size = (id: string) => sizeOf(id) ?? kUsualSize;
  const layers = layersOf(document, size);
  untangle(layers);
  settle(layers);
  const top = Math.min(0, ...layers.flat().map(({ y }) => y));
  const places: Record<string, Position> = {};
  let x = 0;
  for (const layer of layers) {
    const nodes = layer.filter(({ id }) => id !== undefined);
    for (const { id, y } of nodes) places[id!] = { x, y: Math.round(y - top) };
    x += Math.max(0, ...nodes.map(({ id }) => size(id!).width)) + kBetweenLayers;
  }
  return places;
}

/** Every node has a place: those that a file says nothing of stand as `tidied` would have them. */
export function placed(document: GraphDocument): GraphDocument {
  const homeless = document.tasks.filter(({ id }) => !Object.hasOwn(document.layout, id));
  if (homeless.length === 0) return document;
  const places = tidied(document);
  if (homeless.length === document.tasks.length) return { ...document, layout: places };
  const lowest = Math.max(...Object.values(document.layout).map(({ y }) => y)) + kUsualSize.height + kBetweenNodes;
  const below = Object.fromEntries(homeless.map(({ id }) => [id, { x: places[id]!.x, y: places[id]!.y + lowest }]));
  return { ...document, layout: { ...document.layout, ...below } };
}

/** The nearest place that way where a node lies on no other: below what is in the way. */
export function freePlace({ layout }: Pick<GraphDocument, 'layout'>, wanted: Position, sizeOf: SizeOf = () => undefined): Position {
  const { width, height } = kUsualSize;
  const others = Object.entries(layout).map(([id, { x, y }]) => ({ x, y, size: sizeOf(id) ?? kUsualSize }));
  let at = wanted;
  for (;;) {
    const inTheWay = others.find(({ x, y, size }) => at.x < x + size.width + 16 && at.x + width + 16 > x && at.y < y + size.height + 16 && at.y + height + 16 > y);
    if (!inTheWay) return at;
    at = { x: at.x, y: inTheWay.y + inTheWay.size.height + kBetweenNodes };
  }
}

/** Behind this node. */
export function placeBehind(document: Pick<GraphDocument, 'layout'>, id: string, sizeOf: SizeOf = () => undefined): Position {
  const { x, y } = document.layout[id] ?? { x: 0, y: 0 };
  return freePlace(document, { x: x + (sizeOf(id) ?? kUsualSize).width + kBetweenLayers, y }, sizeOf);
}

export type Direction = 'left' | 'right' | 'up' | 'down';

/** The nearest node that way, for arrow keys; undefined: there is none. */
export function neighbour({ tasks, layout }: GraphDocument, from: string, direction: Direction, sizeOf: SizeOf = () => undefined): string | undefined {
  const centre = (id: string): Position => {
    const { x, y } = layout[id] ?? { x: 0, y: 0 };
    const { width, height } = sizeOf(id) ?? kUsualSize;
    return { x: x + width / 2, y: y + height / 2 };
  };
  const here = centre(from);
  let [best, shortest] = [undefined as string | undefined, Number.POSITIVE_INFINITY];
  for (const { id } of tasks) {
    if (id === from) continue;
    const there = centre(id);
    const [dx, dy] = [there.x - here.x, there.y - here.y];
    const along = direction === 'right' ? dx : direction === 'left' ? -dx : direction === 'down' ? dy : -dy;
    const across = Math.abs(direction === 'left' || direction === 'right' ? dy : dx);
    if (along <= 4) continue;
    // What lies straight that way is nearer than what lies aside.
    const distance = along + across * 2;
    if (distance < shortest) [best, shortest] = [id, distance];
  }
  return best;
}

/** Around all of its nodes. */
export function boundsOf({ tasks, layout }: GraphDocument, sizeOf: SizeOf = () => undefined): { left: number; top: number; right: number; bottom: number } {
  const bounds = { left: Number.POSITIVE_INFINITY, top: Number.POSITIVE_INFINITY, right: Number.NEGATIVE_INFINITY, bottom: Number.NEGATIVE_INFINITY };
  for (const { id } of tasks) {
    const { x, y } = layout[id] ?? { x: 0, y: 0 };
    const { width, height } = sizeOf(id) ?? kUsualSize;
    bounds.left = Math.min(bounds.left, x);
    bounds.top = Math.min(bounds.top, y);
    bounds.right = Math.max(bounds.right, x + width);
    bounds.bottom = Math.max(bounds.bottom, y + height);
  }
  return bounds;
}
