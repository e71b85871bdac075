// npm start: sets up what is missing, builds the package and the demo, serves the demo.
//   npm start -- --port 8080               another port
//   npm start -- --check FILE [--kill N]   processes FILE in a real browser instead, and reports
import { attempt, buildJs, buildWasm, endOnFailure, must } from './build.mjs';
import { setup } from './setup.mjs';

const args = process.argv.slice(2);
const checks = args.includes('--check');
const at = args.indexOf('--port');
const isPort = (word) => /^\d+$/.test(word ?? '') && Number(word) < 65_536;
const unknown = checks ? undefined : args.find((word, index) => index !== at && (at < 0 || index !== at + 1));
if (unknown !== undefined || (at >= 0 && !isPort(args[at + 1]))) {
  if (unknown !== undefined) process.stderr.write(`"${unknown}" is not understood\n`);
  process.stderr.write('usage: npm start -- --port NUMBER\n');
  if (unknown !== undefined) process.stderr.write('       npm start -- --check FILE.pdf [--kill N] [--out FILE.zip]\n');
  process.exit(2);
}
endOnFailure();
await setup({ quiet: checks });
// What a check prints is read by programs, so there the building speaks on stderr.
const stdio = checks ? ['ignore', 2, 2] : 'inherit';
buildWasm({ stdio });
buildJs({ stdio });
must('vite', ['build', 'demo', '--logLevel', 'warn'], { stdio });
if (checks) process.exit(attempt('node', ['scripts/check.mjs', ...args]));
process.stdout.write('Ctrl-C ends it; another port: npm start -- --port 8080\n');
process.exit(attempt('node', ['demo/server.mjs'], { env: at >= 0 ? { PORT: args[at + 1] } : {} }));
