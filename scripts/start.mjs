// npm start: sets up what is missing, builds the package and the demo, serves the demo.
//   npm start -- --port 8080 --host        passed to the server
//   npm start -- --check FILE [--kill N]   processes FILE in a real browser instead, and reports
import { attempt, buildJs, buildWasm, must } from './build.mjs';
import { setup } from './setup.mjs';

const args = process.argv.slice(2);
await setup();
buildWasm();
buildJs();
must('vite', ['build', 'demo', '--logLevel', 'warn']);
if (args.includes('--check')) process.exit(attempt('node', ['scripts/check.mjs', ...args]));
const port = args.includes('--port') ? [] : ['--port', '4173'];
process.stdout.write('\nThe demo (Ctrl-C ends it; another port: npm start -- --port 8080):\n');
process.exit(attempt('vite', ['preview', 'demo', ...port, ...args]));
