// Typings drift: the committed wasm/core.d.ts must be what the bindings emit now, and
// js/protocol.ts what src/record.h says. Both are reviewed as part of a change.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { attempt } from './build.mjs';
import { root } from './setup/common.mjs';

function same(committed, fresh) {
  if (!existsSync(join(root, fresh))) return fail(`${fresh} was not built (npm run build:wasm)`);
  if (!existsSync(join(root, committed))) return fail(`${committed} is missing: cp ${fresh} ${committed}`);
  if (readFileSync(join(root, committed), 'utf8') === readFileSync(join(root, fresh), 'utf8')) return true;
  attempt('diff', ['-u', committed, fresh]);
  return fail(`${committed} is not what wasm/ emits. If the change is meant: cp ${fresh} ${committed}`);
}

function fail(message) {
  process.stdout.write(`check:door: ${message}\n`);
  return false;
}

export async function checkDoor() {
  const results = [same('wasm/core.d.ts', 'build/wasm/core.d.ts')];
  if (existsSync(join(root, 'wasm/json_bindings.cpp'))) results.push(same('wasm/json.d.ts', 'build/wasm/json.d.ts'));
  if (existsSync(join(root, 'scripts/generate-protocol.mjs'))) {
    results.push(attempt('node', ['scripts/generate-protocol.mjs', '--check']) === 0);
  }
  const failed = results.filter((good) => !good).length;
  return { passed: results.length - failed, failed };
}
