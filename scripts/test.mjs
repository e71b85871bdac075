// npm test: sets up what is missing, builds, runs every room and sums up. The last line is "N passed, N failed".
import { buildJs, buildTrap, buildWasm } from './build.mjs';
import { rooms } from './rooms.mjs';
import { setup } from './setup.mjs';

await setup();
const begin = Date.now();
const rows = [];

/** A room that cannot even be built has failed once; the others go on. */
async function enter(name, what, work) {
  process.stdout.write(`\n── ${name} · ${what}\n`);
  const start = Date.now();
  let result;
  try {
    result = await work();
  } catch (error) {
    process.stdout.write(`${error.status === undefined ? error.stack : error.message}\n`);
    result = { passed: 0, failed: 1 };
  }
  rows.push({ name, ...result, took: `${((Date.now() - start) / 1000).toFixed(1)} s` });
  return result.failed === 0;
}

const isBuilt = await enter('build', 'WASM module and package', () => {
  buildWasm();
  buildTrap();
  buildJs();
  return { passed: 1, failed: 0 };
});
for (const room of rooms.filter(({ byName }) => !byName)) {
  await enter(room.name, room.what, () => {
    if (!isBuilt && room.needs.length) throw Object.assign(new Error('not run: the build failed'), { status: 1 });
    return room.run(room.args ?? []);
  });
}

// Before the summary, so that the end of a log says which tests failed and why.
for (const { name, details = [] } of rows) {
  for (const one of details) {
    const lines = one.split('\n').filter((line) => !line.includes('node_modules'));
    process.stdout.write(`\n✗ ${name}: ${lines.slice(0, 12).join('\n    ')}\n`);
  }
}

const total = (key) => rows.reduce((sum, row) => sum + row[key], 0);
process.stdout.write(`\n── summary · ${((Date.now() - begin) / 1000).toFixed(0)} s\n`);
for (const { name, passed, failed, took } of rows) {
  const counts = `${passed} passed`.padStart(13) + (failed ? `, ${failed} failed` : '');
  process.stdout.write(`${failed ? '✗' : '✓'} ${name.padEnd(15)} ${counts}  (${took})\n`);
}
process.stdout.write(`\n${total('passed')} passed, ${total('failed')} failed\n`);
process.exit(total('failed') ? 1 : 0);
