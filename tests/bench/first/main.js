// The smallest app that uses holdfast with its default storage: what it downloads, and how soon a task
// is accepted, counted from the import.
globalThis.first = async (id) => {
  const start = performance.now();
  const { createOrchestrator, defineTask } = await import('holdfast');
  const orchestrator = createOrchestrator({ id });
  const task = defineTask({ id: 'first', run: async (n) => n + 1 });
  await orchestrator.trigger(task, 1).accepted;
  return performance.now() - start;
};
