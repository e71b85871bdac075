/**
 * A room of the house that is loaded when somebody first needs it.
 *
 * Invariants: loaded once, however many ask meanwhile; code that could not be had (offline, a release that took the file
 * away) rejects those who asked, and the next who asks tries again.
 */
export class Lazy<Room> {
  /** undefined: nobody has needed it, or it is still on its way. */
  loaded: Room | undefined;
  #loading: Promise<Room> | undefined;
  readonly #make: () => Promise<Room>;

  constructor(make: () => Promise<Room>) {
    this.#make = make;
  }

  /** Rejects where the code can't be had. */
  load(): Promise<Room> {
    this.#loading ??= this.#make().then(
      (room) => (this.loaded = room),
      (error) => {
        this.#loading = undefined;
        throw error;
      },
    );
    return this.#loading;
  }

  /** What is there, or on its way: for those that tidy up. */
  async ifAsked(): Promise<Room | undefined> {
    return this.#loading?.catch(() => undefined);
  }
}
