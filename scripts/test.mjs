// npm test: sets up what is missing, builds, runs every room and sums up. The last line is "N passed, N failed".
import { buildJs, buildWasm } from './build.mjs';
import { rooms } from './rooms.mjs';
import { setup } from './setup.mjs';

await setup();
const begin = Date.now();
buildWasm();
buildJs();
const rows = [];
for (const room of rooms) {
  process.stdout.write(`\n── ${room.name} · ${room.what}\n`);
  const start = Date.now();
  const { passed, failed } = await room.run(room.args ?? []);
  rows.push({ name: room.name, passed, failed, took: `${((Date.now() - start) / 1000).toFixed(1)} s` });
}
const total = (key) => rows.reduce((sum, row) => sum + row[key], 0);
process.stdout.write(`\n── summary · ${((Date.now() - begin) / 1000).toFixed(0)} s\n`);
for (const { name, passed, failed, took } of rows) {
  process.stdout.write(
    `${failed ? '✗' : '✓'} ${name.padEnd(15)} ${`${passed} passed`.padStart(13)}${failed ? `, ${failed} failed` : ''}  (${took})\n`,
  );
}
process.stdout.write(`\n${total('passed')} passed, ${total('failed')} failed\n`);
process.exit(total('failed') ? 1 : 0);
