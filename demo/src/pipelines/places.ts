/**
 * Where nodes stand, and which node is next to another.
 *
 * Invariant: the same for the same document.
 */
import { layoutDocument, type TaskGraphJson } from 'holdfast/graph';
import type { GraphDocument, Position } from './graph-document.ts';

export interface Size {
  readonly width: number;
  readonly height: number;
}

export const kUsualSize: Size = { width: 200, height: 120 };
const kBetweenLayers = 64;
const kBetweenNodes = 28;

export type SizeOf = (id: string) => Size | undefined;

/** All nodes anew, as the package lays graphs out. */
export async function tidied({ tasks, dataflows }: TaskGraphJson, sizeOf: SizeOf = () => undefined): Promise<Record<string, Position>> {
  const sizes = Object.fromEntries(tasks.flatMap(({ id }) => (sizeOf(id) ? [[id, sizeOf(id)!] as const] : [])));
  const document = { tasks: tasks.map(({ id, type }) => ({ id, type })), dataflows };
  const { places = [] } = await layoutDocument(document, {}, { sizes, ...kUsualSize, columnGap: kBetweenLayers, rowGap: kBetweenNodes });
  return Object.fromEntries(places.map(({ id, x, y }) => [id, { x, y }]));
}

/** Every node has a place: those that a file says nothing of stand as `tidied` would have them. */
export async function placed(document: GraphDocument): Promise<GraphDocument> {
  const homeless = document.tasks.filter(({ id }) => !Object.hasOwn(document.layout, id));
  if (homeless.length === 0) return document;
  const places = await tidied(document);
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
