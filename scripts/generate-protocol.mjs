// Writes js/protocol.ts from src/record.h, so that no number of the protocol is typed twice.
// `--check` only compares and fails when the committed file is stale.
import { readFileSync, writeFileSync } from 'node:fs';

const source = readFileSync(new URL('../src/record.h', import.meta.url), 'utf8');
const target = new URL('../js/protocol.ts', import.meta.url);

const withoutComments = source.replace(/\/\/.*$/gm, '').replace(/\/\*[\s\S]*?\*\//g, '');
const lines = [
  '// Generated from src/record.h by scripts/generate-protocol.mjs; do not edit.',
  '// The meaning of every number stands there.',
  '/* biome-ignore-all lint: generated */',
  '',
];

for (const [, name, body] of withoutComments.matchAll(/enum class (\w+) : std::uint32_t \{([^}]*)\}/g)) {
  let next = 0;
  for (const entry of body.split(',').map((text) => text.trim()).filter(Boolean)) {
    const [, member, value] = /^(\w+)(?:\s*=\s*(\w+))?$/.exec(entry) ?? [];
    if (!member) throw new Error(`src/record.h: cannot read "${entry}" of enum ${name}`);
    if (value !== undefined) next = Number(value);
    lines.push(`export const ${name}${member} = ${next};`);
    next++;
  }
  lines.push('');
}
for (const [, name, value] of withoutComments.matchAll(/inline constexpr std::uint32_t k(\w+) = (\w+);/g)) {
  lines.push(`export const ${name} = ${Number(value)};`);
}
lines.push('export const RecordBytes = 24;', '');

const text = lines.join('\n');
if (process.argv.includes('--check')) {
  if (readFileSync(target, 'utf8') !== text) {
    console.error('js/protocol.ts is stale: run `npm run generate` after a change of src/record.h and commit it.');
    process.exit(1);
  }
} else {
  writeFileSync(target, text);
}
