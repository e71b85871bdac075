/**
 * The way of an edge: a curve from port to port; where nodes lie in between, above or below them.
 *
 * Invariant: pure; an edge that nothing lies in the way of is drawn as it would be without this.
 */
import type { Position } from './graph-document.ts';

export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

export interface Lane {
  readonly y: number;
  readonly from: number;
  readonly to: number;
}

const kRoom = 12;

/** Of a curve between two points that starts and ends level: about where it is at x. */
function heightAt(from: Position, to: Position, x: number): number {
  const part = Math.min(1, Math.max(0, (x - from.x) / (to.x - from.x)));
  const eased = part * part * (3 - 2 * part);
  return from.y + (to.y - from.y) * eased;
}

function isCrossed({ left, top, right, bottom }: Box, from: Position, to: Position): boolean {
  if (right <= from.x + 4 || left >= to.x - 4) return false;
  const [one, other] = [heightAt(from, to, left), heightAt(from, to, right)];
  return Math.max(one, other) > top - 2 && Math.min(one, other) < bottom + 2;
}

/** undefined: nothing is in the way, or it leads back, where there is no good way. */
export function laneOf(from: Position, to: Position, boxes: readonly Box[]): Lane | undefined {
  if (to.x - from.x < 40) return undefined;
  const between = boxes.filter(({ left, right }) => right > from.x + 4 && left < to.x - 4);
  const crossed = between.filter((box) => isCrossed(box, from, to));
  if (crossed.length === 0) return undefined;
  const start = Math.min(...crossed.map(({ left }) => left));
  const end = Math.max(...crossed.map(({ right }) => right));
  // Boxes beside those that are crossed would be crossed by the lane: it goes round them too.
  const along = between.filter(({ left, right }) => right > start && left < end);
  const [above, below] = [clear(along, Math.min(...crossed.map(({ top }) => top)) - kRoom, -1), clear(along, Math.max(...crossed.map(({ bottom }) => bottom)) + kRoom, 1)];
  const cost = (y: number) => Math.abs(y - from.y) + Math.abs(y - to.y);
  return { y: cost(below) <= cost(above) ? below : above, from: start - kRoom, to: end + kRoom };
}

/** The first height that way at which no box is. */
function clear(boxes: readonly Box[], from: number, way: 1 | -1): number {
  let y = from;
  for (let tries = 0; tries < boxes.length; tries++) {
    const hit = boxes.find(({ top, bottom }) => y > top - kRoom / 2 && y < bottom + kRoom / 2);
    if (!hit) break;
    y = way === 1 ? hit.bottom + kRoom : hit.top - kRoom;
  }
  return y;
}

/** As an SVG path. */
export function pathAlong(from: Position, to: Position, lane: Lane): string {
  const start = Math.max(from.x + 24, lane.from);
  const end = Math.max(start, Math.min(to.x - 24, lane.to));
  const curve = (a: Position, b: Position) => {
    const middle = (a.x + b.x) / 2;
    return `C ${middle} ${a.y} ${middle} ${b.y} ${b.x} ${b.y}`;
  };
  return `M ${from.x} ${from.y} ${curve(from, { x: start, y: lane.y })} L ${end} ${lane.y} ${curve({ x: end, y: lane.y }, to)}`;
}
