/** Thrown through the handler by `ctx.continueAsNew`: this code is over, and begins anew with the input. */
export class ContinueAsNew extends Error {
  readonly input: unknown;
  constructor(input: unknown) {
    super('The run begins anew (ctx.continueAsNew). Let this pass through your code.');
    this.name = 'ContinueAsNew';
    this.input = input;
  }
}
