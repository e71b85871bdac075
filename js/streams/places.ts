/**
 * Where the chunks of each stream lie. Streams that are written in turn lie in pieces: the one that is wanted is found by
 * halving, not by looking through all of them.
 *
 * Invariant: of acknowledged parts alone, and by index.
 */
import type { Part, Span } from './parts.ts';

export interface Place {
  part: Part;
  span: Span;
  /** Where its bytes begin in those of the part. */
  offset: number;
}

export function placesIn(part: Part): Place[] {
  let offset = 0;
  return part.spans.map((span) => {
    const place = { part, span, offset };
    offset += span.bytes;
    return place;
  });
}

export class Places {
  readonly #byKey = new Map<string, Place[]>();

  /** REQUIRES: its chunks come behind those of all parts before it. */
  add(part: Part): void {
    for (const place of placesIn(part)) {
      const places = this.#byKey.get(place.span.key);
      if (places) places.push(place);
      else this.#byKey.set(place.span.key, [place]);
    }
  }

  /** Packs take the place of parts between others. */
  begin(parts: readonly Part[]): void {
    this.#byKey.clear();
    for (const part of parts) this.add(part);
    for (const places of this.#byKey.values()) places.sort((one, other) => one.span.first - other.span.first);
  }

  /** From the one that has this chunk on, as many as lie in one part. */
  from(key: string, index: number): Place[] {
    const places = this.#byKey.get(key) ?? [];
    let [low, high] = [0, places.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const { first, count } = places[middle]!.span;
      if (first + count > index) high = middle;
      else low = middle + 1;
    }
    const begin = low;
    while (low < places.length && places[low]!.part === places[begin]!.part) low++;
    return places.slice(begin, low);
  }
}
