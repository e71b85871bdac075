// npm run tidy: the house rules of scripts/tidy-rules.mjs, as file:line and the rule.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './setup/common.mjs';
import { allowed, rules, walls } from './tidy-rules.mjs';

const generated = /^(js\/protocol\.ts|js\/(core|json|core-bytes|json-bytes)\.)|\.d\.ts$/;
const looked = /^(src|wasm|js|demo|tests|scripts)\/.*\.(h|cpp|ts|tsx|mjs|css)$/;

function files() {
  const listed = spawnSync('git', ['ls-files', '-co', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
  }).stdout.split('\n');
  return listed
    .filter((name) => looked.test(name) && !generated.test(name))
    .flatMap((name) => {
      try {
        return [{ name, text: readFileSync(join(root, name), 'utf8') }];
      } catch {
        return []; // deleted, not yet committed
      }
    });
}

const matches = (name, patterns) =>
  patterns.some((one) =>
    one instanceof RegExp ? one.test(name) : one.endsWith('/') ? name.startsWith(one) : name === one,
  );

const blank = (text) => text.replace(/[^\n]/g, ' ');

/** The text with comments, and if asked strings, blanked out; lines and columns stay. */
function code(text, { strings = false } = {}) {
  const token = /\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`/g;
  return text.replace(token, (found) => (found[0] === '/' || strings ? blank(found) : found));
}

const lineOf = (text, index) => text.slice(0, index).split('\n').length;

function broken({ name, text }) {
  const findings = [];
  const lines = code(text).split('\n');
  for (const rule of rules) {
    if (!matches(name, rule.where) || matches(name, rule.not ?? [])) continue;
    lines.forEach((line, index) => {
      if (rule.pattern.test(line)) findings.push({ name, line: index + 1, says: rule.says });
    });
  }
  return findings;
}

// ---- sizes --------------------------------------------------------------------------------

/** C++ functions by their braces: the outermost block that follows a parameter list. */
function cppFunctions(text) {
  const source = code(text, { strings: true });
  const found = [];
  const stack = [];
  let since = 0;
  for (const { 0: character, index } of source.matchAll(/[{};]/g)) {
    const head = source.slice(since, index);
    since = index + 1;
    if (character === '{')
      stack.push(
        opening(
          head,
          index,
          stack.some((one) => one.isFunction),
        ),
      );
    if (character !== '}') continue;
    const block = stack.pop();
    if (block?.isFunction)
      found.push({
        title: block.title,
        line: lineOf(source, block.index),
        lines: lineOf(source, index) - lineOf(source, block.index) + 1,
      });
  }
  return found;
}

function opening(head, index, inside) {
  const isScope = /\b(namespace|class|struct|enum|union)\b[^()]*$|\bextern\s*$/.test(head);
  const isFunction = !inside && !isScope && head.includes(')');
  const title = /([\w:~]+)\s*\(/.exec(head)?.[1] ?? 'function';
  const start = index - head.length + head.search(/\S/);
  return { isFunction, title, index: start };
}

let typescript;

function scriptFunctions(name, text) {
  const ts = typescript;
  const source = ts.createSourceFile(
    name,
    text,
    ts.ScriptTarget.Latest,
    true,
    name.endsWith('x') ? ts.ScriptKind.TSX : undefined,
  );
  const found = [];
  const visit = (node) => {
    if (ts.isFunctionLike(node) && node.body && !isSuite(ts, node)) {
      const start = source.getLineAndCharacterOfPosition(node.getStart()).line;
      const end = source.getLineAndCharacterOfPosition(node.end).line;
      const title = node.name?.getText() ?? node.parent?.name?.getText?.() ?? 'function';
      found.push({ title, line: start + 1, lines: end - start + 1 });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** The body of describe(…), and a shared suite that is a list of it(…), is a chapter, not a function. */
function isSuite(ts, node) {
  if (ts.isCallExpression(node.parent) && /^(describe|suite)\b/.test(node.parent.expression.getText())) return true;
  if (!ts.isBlock(node.body)) return false;
  return node.body.statements.some((one) => /^(describe|it|test)\b[.(]/.test(one.getText()));
}

function tooLong({ name, text }) {
  const wall = walls.find((one) => matches(name, one.where));
  const findings = [];
  const check = (key, line, lines, limit, what) => {
    const most = allowed[key];
    if (lines > (most ?? limit))
      findings.push({ name, line, says: `${what} has ${lines} lines, the wall is ${most ?? limit}` });
    else if (most !== undefined && lines < most)
      findings.push({
        name,
        line,
        says: `${what} has shrunk to ${lines} lines: lower (or remove) its entry '${key}' in scripts/tidy-rules.mjs`,
      });
  };
  check(name, 1, text.split('\n').length - 1, wall.file, 'the file');
  if (name.endsWith('.css')) return findings;
  const functions = /\.(h|cpp)$/.test(name) ? cppFunctions(text) : scriptFunctions(name, text);
  for (const one of functions) check(`${name}#${one.title}`, one.line, one.lines, wall.function, one.title);
  return findings;
}

/** Answers like every room: one check passed per clean file, one failed per finding. */
export async function tidy() {
  typescript = (await import('typescript')).default;
  const all = files();
  const findings = all.flatMap((file) => [...broken(file), ...tooLong(file)]);
  for (const { name, line, says } of findings) process.stdout.write(`${name}:${line}: ${says}\n`);
  process.stdout.write(`tidy: ${all.length} files, ${findings.length} findings\n`);
  return findings.length ? { passed: 0, failed: findings.length } : { passed: 1, failed: 0 };
}
