// npm start: sets up what is missing, builds the package and the demo, serves the demo.
//   npm start -- --port 8080               another port
//   npm start -- --check FILE [--kill N]   processes FILE in a real browser instead, and reports
import { attempt, buildJs, buildWasm, endOnFailure, must } from './build.mjs';
import { setup } from './setup.mjs';

const args = process.argv.slice(2);
const checks = args.includes('--check');
const at = args.indexOf('--port');
if (at >= 0 && !/^\d+$/.test(args[at + 1] ?? '')) {
  process.stderr.write('usage: npm start -- --port NUMBER\n');
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
