/** Metadata of runs, as their code sees it. Types only. */

/** Each is seen at once; at most 256 KB in all. */
export interface MetadataUpdates<Self> {
  set(key: string, value: unknown): Self;
  del(key: string): Self;
  /** All of it. */
  replace(values: Record<string, any>): Self;
  /** To a list, or to none yet. */
  append(key: string, value: unknown): Self;
  /** Every item that equals it. */
  remove(key: string, value: unknown): Self;
  /** A number, or none yet. Default 1. */
  increment(key: string, by?: number): Self;
  decrement(key: string, by?: number): Self;
}

export interface MetadataVerbs extends MetadataUpdates<ContextMetadata> {
  /** Also for a key that is called like one of these verbs. */
  get<Value = any>(key: string): Value | undefined;
  current(): Readonly<Record<string, any>>;
  /** Resolves when all changes are stored. */
  flush(): Promise<void>;
  /** Of the run whose code made this one. @throws ConfigurationError where there is none */
  readonly parent: MetadataUpdates<MetadataUpdates<any>>;
  /** Of the run at the top of the tree. */
  readonly root: MetadataUpdates<MetadataUpdates<any>>;
}

/**
 * The values by their names, as of this look, and what changes them. Changes are stored before the next step
 * is recorded, and not made again by code that runs again up to there.
 */
export type ContextMetadata = Readonly<Record<string, any>> & MetadataVerbs;
