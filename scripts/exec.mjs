// Runs any command inside the project's toolchain:  node scripts/exec.mjs cmake --preset native
import { spawnSync } from 'node:child_process';
import { toolchainEnvironment } from './env.mjs';
import { setup } from './setup.mjs';

const [command, ...args] = process.argv.slice(2);
if (!command) {
  process.stderr.write('usage: node scripts/exec.mjs COMMAND [ARGUMENT…]\n');
  process.exit(2);
}
await setup();
const result = spawnSync(command, args, { stdio: 'inherit', env: toolchainEnvironment() });
if (result.error) process.stderr.write(`${command}: ${result.error.message}\n`);
process.exit(result.status ?? 1);
