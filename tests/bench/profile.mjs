// Where the time goes: Chromium's own profiler over a few runs of one contender, readable names, top costs
// by function. The whole profile is left in build/bench/NAME.cpuprofile for a browser's developer tools.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openPage } from './browser.mjs';

const work = fileURLToPath(new URL('../../build/bench/', import.meta.url));
const runs = 5;

export async function profile(name, sizes, say) {
  const { page, close } = await openPage({ minify: false });
  try {
    const measure = () => page.evaluate(([which, n]) => globalThis.bench.measure(which, n), [name, sizes[name]]);
    await measure();
    const session = await page.context().newCDPSession(page);
    await session.send('Profiler.enable');
    await session.send('Profiler.setSamplingInterval', { interval: 200 });
    await session.send('Profiler.start');
    for (let run = 0; run < runs; run++) say(`${name}: ${Math.round(await measure())} tasks/s while profiled`);
    const { profile: found } = await session.send('Profiler.stop');
    writeFileSync(join(work, `${name}.cpuprofile`), JSON.stringify(found));
    for (const { share, label } of topCosts(found))
      process.stdout.write(`${share.toFixed(1).padStart(5)} %  ${label}\n`);
  } finally {
    await close();
  }
}

/** Own time by function, as shares of what was neither idle nor the bench's own tidying between runs. */
export function topCosts({ nodes, samples, timeDeltas }, count = 40) {
  const labels = new Map(nodes.map(({ id, callFrame }) => [id, labelOf(callFrame)]));
  const leaveOut = (node, inside) => {
    const out = inside || node.callFrame.functionName === 'settle';
    if (out) labels.set(node.id, '(idle)');
    for (const child of node.children ?? []) leaveOut(byId.get(child), out);
  };
  const byId = new Map(nodes.map((node) => [node.id, node]));
  leaveOut(nodes[0], false);
  const times = new Map();
  let total = 0;
  samples.forEach((id, index) => {
    const label = labels.get(id);
    if (label === '(idle)') return;
    total += timeDeltas[index];
    times.set(label, (times.get(label) ?? 0) + timeDeltas[index]);
  });
  const costs = [...times].map(([label, time]) => ({ label, share: (100 * time) / total }));
  return costs.sort((one, other) => other.share - one.share).slice(0, count);
}

function labelOf({ functionName, url, lineNumber }) {
  const file = url.split('/').at(-1);
  return `${functionName || '(anonymous)'}${file ? `  ${file}:${lineNumber + 1}` : ''}`;
}
