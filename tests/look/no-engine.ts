/** Stands in for the package's main entry: the look never makes an engine. */
export function createOrchestrator(): never {
  throw new Error('the look brings its own orchestrator');
}
export { createOrchestrator as getDefaultOrchestrator };
