/**
 * What a run says of itself while it runs: metadata and tags, as its code sees and changes them.
 *
 * Invariant: code that goes again over what is recorded changes nothing again.
 */
import { NoteKind } from '../journal/notes.ts';
import type { Orchestrator } from '../orchestrator.ts';
import type { Run } from '../runs/run.ts';
import type { RunTags } from '../types.ts';
import { Metadata } from './metadata.ts';
import type { ContextMetadata } from './metadata-types.ts';
import { type MetadataTarget, metadataView } from './metadata-view.ts';
import { rootOf } from './process.ts';
import { joinTags } from './tags.ts';

const none: Readonly<Record<string, any>> = Object.freeze({});

export class Describing {
  readonly #house: Orchestrator;
  readonly metadata: Metadata;

  constructor(house: Orchestrator) {
    this.#house = house;
    this.metadata = new Metadata(house);
  }

  /** @param repeats its code only repeats what it did */
  metadataOf(run: Run, repeats: (verb: string) => boolean): ContextMetadata {
    return metadataView(this.#target(run, repeats));
  }

  #target(run: Run, repeats: (verb: string) => boolean): MetadataTarget {
    const { metadata } = this;
    return {
      get values() {
        return run.extra.metadata ?? none;
      },
      update: (verb, args) => {
        if (!repeats(verb)) metadata.update(run, verb, args);
      },
      flush: () => metadata.flush(run),
      relative: (which) => {
        const relative = which === 'parent' ? run.extra.parent : rootOf(this.#house.pump, run);
        return relative && relative !== run ? this.#target(relative, repeats) : undefined;
      },
    };
  }

  tagsOf(run: Run, repeats: () => boolean): RunTags {
    const current = run.extra.tags ?? [];
    return { current, add: async (tags) => (repeats() ? undefined : this.#addTags(run, tags)) };
  }

  async #addTags(run: Run, tags: string | readonly string[]): Promise<void> {
    const joined = joinTags([run.extra.tags, tags], 'ctx.tags.add')!;
    run.ownExtra.tags = joined;
    this.#house.changed(run);
    await this.#house.services.note(run, NoteKind.Tags, [...joined], 'tags');
  }
}
