/** Keys are what people write there. */
export const takesText = (target: EventTarget | null): boolean => (target as HTMLElement).matches('input, textarea, select, [contenteditable]');

/**
 * Keeps the keyboard where it was. A button that disappears, a row that is removed or moved takes the
 * browser's focus to the page's body; this notices, and puts it on what is nearest in meaning.
 */
export class FocusKeeper {
  #last: { id: string; element: HTMLElement } | undefined;
  #expected: { id: string; from: HTMLElement | null } | undefined;

  focused(target: EventTarget): void {
    const element = target as HTMLElement;
    const id = element.closest<HTMLElement>('[data-task-id]')?.dataset.taskId;
    this.#last = id === undefined ? undefined : { id, element };
  }

  /** A blur React tells of is meant by the person; what a removal causes comes without one. */
  blurred(target: EventTarget): void {
    if ((target as HTMLElement).isConnected && document.hasFocus()) this.#last = undefined;
  }

  #isLost(): boolean {
    const active = document.activeElement;
    return this.#last !== undefined && (active === null || active === document.body);
  }

  /** The focus goes to `from`, and on to the row of this run when it is there, unless the person has moved it meanwhile. */
  expect(id: string, from: HTMLElement | null): void {
    from?.focus();
    this.#expected = { id, from };
  }

  /** After a row was rendered: a button in it that is gone hands over to the row's own button. */
  restoreInRow(id: string, toggle: HTMLElement | null): void {
    const last = this.#last;
    const expected = this.#expected;
    if (expected?.id === id) {
      this.#expected = undefined;
      if (document.activeElement === expected.from) toggle?.focus();
      return;
    }
    if (!this.#isLost() || last?.id !== id || last.element.isConnected) return;
    toggle?.focus({ preventScroll: true });
  }

  /** After the list was rendered: the same element if only moved, else the row now at the old place. */
  restoreInList(
    list: HTMLElement | null,
    before: readonly string[],
    after: readonly string[],
    fallback: HTMLElement | null,
  ): void {
    const last = this.#last;
    if (!this.#isLost() || !last || !before.includes(last.id)) return;
    if (last.element.isConnected) {
      last.element.focus({ preventScroll: true });
      return;
    }
    if (after.includes(last.id)) return;
    const index = Math.min(before.indexOf(last.id), after.length - 1);
    const next = list?.children[index]?.querySelector<HTMLElement>('button, a[href]') ?? fallback;
    this.#last = undefined;
    next?.focus();
  }
}
