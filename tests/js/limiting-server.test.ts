/** A rate as a server sees it: real time, a real server that counts. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createOrchestrator, defineTask } from 'holdfast';
import { expect, it } from 'vitest';
import { name } from './houses.ts';

const [limit, periodMs, count] = [10, 400, 60];
/** What two requests that began a period apart may have come closer on their way. */
const jitterMs = 40;

/** When each request came, in ms. */
async function arrivalsOf(type: 'sliding' | 'fixed'): Promise<number[]> {
  const arrivals: number[] = [];
  const server = createServer((_, response) => {
    arrivals.push(performance.now());
    response.end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  // The first requests of a process take their time: to a server it looks as if the others came too soon.
  for (let round = 0; round < 3; round++) await Promise.all(Array.from({ length: limit }, () => fetch(address).then((response) => response.text())));
  arrivals.length = 0;
  const orchestrator = createOrchestrator({ id: name('server'), storage: 'memory', queues: { api: { rateLimit: { limit, period: periodMs, type } } } });
  const task = defineTask({ id: name('asks'), queue: 'api', run: async (_: number) => (await fetch(address)).json() });
  await Promise.all(Array.from({ length: count }, (_, n) => orchestrator.trigger(task, n).result()));
  await orchestrator.dispose();
  server.closeAllConnections();
  server.close();
  return arrivals;
}

/** Arrivals closer together than the period, over as many as the limit. */
const tooClose = (arrivals: number[]) => arrivals.filter((atMs, index) => index >= limit && atMs - arrivals[index - limit]! < periodMs - jitterMs).length;

it('never sees more than the limit in a window of the period, and at least 95 % of it is used', async () => {
  let [used, close] = [0, 1];
  // A busy machine holds requests up on their way: one quiet round of three says what is ours.
  for (let round = 0; round < 3 && (used < 0.95 || close > 0); round++) {
    const arrivals = await arrivalsOf('sliding');
    expect(arrivals).toHaveLength(count);
    close = tooClose(arrivals);
    const ideal = (count / limit - 1) * periodMs;
    used = ideal / Math.max(ideal, arrivals.at(-1)! - arrivals[0]!);
  }
  expect(close).toBe(0);
  expect(used).toBeGreaterThanOrEqual(0.95);
});

it('sees no more than twice the limit in a period where windows are fixed, and each full', async () => {
  const arrivals = await arrivalsOf('fixed');
  const most = Math.max(...arrivals.map((atMs, index) => arrivals.slice(index).filter((other) => other - atMs < periodMs - jitterMs).length));
  expect(most).toBeLessThanOrEqual(2 * limit);
  expect(arrivals).toHaveLength(count);
});
