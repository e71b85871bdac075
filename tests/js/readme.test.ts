/** What the READMEs say is tried: code compiles and runs as it stands, commands and files exist. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as holdfast from 'holdfast';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const rooms = ['js', 'src', 'wasm', 'tests', 'demo', 'scripts'];
const readmes = ['README.md', ...rooms.flatMap((room) =>
  readdirSync(join(root, room), { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.md')).map((file) => join(room, file)))];
const text = (file: string) => readFileSync(join(root, file), 'utf8');

interface Block {
  where: string;
  language: string;
  code: string;
}
const blocks: Block[] = readmes.flatMap((file) =>
  [...text(file).matchAll(/^```(\w*)\n(.*?)^```/gms)].map(([, language, code]) => ({ where: file, language: language!, code: code! })),
);
const written = (language: string) => blocks.filter((block) => block.language === language);

/** What the reader is to bring along. */
const given: Record<string, string> = {
  file: 'File', countPages: '(file: File) => number', pull: '(account: string) => Promise<string[]>', push: '(account: string, changes: string[]) => Promise<void>', readPage: '(file: File, page: number) => string',
  save: '(...things: unknown[]) => void', fetchPage: '(input: { url: string; dpi: number }) => Promise<{ text: string }>', url: 'string', reader: 'TaskExecutor<{ file: File }, string>', orchestrator: 'Orchestrator',
  model: '{ continue(question: string, before: string): ReadableStream<string> }', question: 'string', show: '(text: string) => void',
  charge: '(id: string) => string', mail: '(text: string) => void', report: '(...things: unknown[]) => void',
};

/** All blocks are one program: each is a module of its own, and what they import is looked at once. */
const program = (() => {
  let made: { program: ts.Program; path: (block: Block) => string } | undefined;
  return () => (made ??= compile([...written('ts'), ...written('tsx')]));
})();

function compile(all: Block[]) {
  const path = (block: Block) => join(root, `tests/js/readme-block-${all.indexOf(block)}.${block.language}`);
  const sources = new Map(all.map((block) => [path(block), prelude(block) + block.code]));
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
  const host = ts.createCompilerHost(options);
  const [read, exists, parse] = [host.readFile, host.fileExists, host.getSourceFile];
  host.readFile = (name) => sources.get(name) ?? read(name);
  host.fileExists = (name) => sources.has(name) || exists(name);
  host.getSourceFile = (name, ...rest) => (sources.has(name) ? ts.createSourceFile(name, sources.get(name)!, rest[0]) : parse.call(host, name, ...rest));
  return { path, program: ts.createProgram([...sources.keys(), join(root, 'node_modules/vite/client.d.ts')], { ...options, noUnusedLocals: false }, host) };
}

function prelude({ code }: Block): string {
  const declared = Object.entries(given).filter(([name]) => code.includes(name) && !new RegExp(`(const|function) ${name}\\b`).test(code));
  const types = ['Orchestrator', 'TaskExecutor'].filter((name) => !new RegExp(`^import .*\\b${name}\\b`, 'm').test(code));
  return `import type { ${types.join(', ')} } from 'holdfast';\n${declared.map(([name, type]) => `declare const ${name}: ${type};\n`).join('')}`;
}

function complaints(block: Block): string[] {
  const { program: whole, path } = program();
  const file = whole.getSourceFile(path(block))!;
  return [...whole.getSyntacticDiagnostics(file), ...whole.getSemanticDiagnostics(file)].map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
}

describe('the READMEs', () => {
  it.each([...written('ts'), ...written('tsx')])('code of $where compiles as it is written: $language', (block) => {
    expect(complaints(block)).toEqual([]);
  });

  it('the twenty lines run as they are written', async () => {
    const [{ code } = { code: '' }] = written('ts').filter(({ where }) => where === 'README.md');
    expect(code.trim().split('\n').length).toBeLessThanOrEqual(22);
    const { outputText } = ts.transpileModule(code, { compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 } });
    const body = outputText.replace(/import (\{[^}]*\}) from 'holdfast';/, 'const $1 = holdfast;');
    const AsyncFunction = (async () => {}).constructor as new (...parts: string[]) => (...args: unknown[]) => Promise<Blob>;
    const run = new AsyncFunction('holdfast', 'file', 'countPages', 'readPage', `${body}\nreturn blob;`);
    const file = new File(['x'], 'a.pdf');
    const blob = await run(holdfast, file, (one: File) => one.name.length - 2, (_: File, page: number) => `page ${page}\n`);
    expect(await blob.text()).toBe('page 1\npage 2\npage 3\n');
    await holdfast.getDefaultOrchestrator().dispose();
  });

  it('every command is one', () => {
    const { scripts } = JSON.parse(text('package.json')) as { scripts: Record<string, string> };
    const commands = readmes.flatMap((file) => [...text(file).matchAll(/(?:^|`|\$ |&& )npm (?:run )?(?!run )([a-z][\w:]*)/gm)].map(([, name]) => name!));
    expect(commands.length).toBeGreaterThan(10);
    const npms = ['ci', 'install', 'ping', 'pack', 'start', 'test'];
    expect(commands.filter((name) => !(name in scripts) && !npms.includes(name))).toEqual([]);
    // The table of README.md leaves `npm run` to its head.
    for (const [, row] of text('README.md').matchAll(/^\| (`[a-z].*?`) \| (?:watch|one room|kills|a table|libFuzzer|house rules)/gm))
      for (const [, name] of row!.matchAll(/`([a-z][\w:]*)/g)) expect(scripts).toHaveProperty([name!]);
  });

  it('every file is there', () => {
    const all = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => !/^(node_modules|build|dist|\.git)\//.test(name));
    for (const file of readmes) {
      for (const [, name] of text(file).matchAll(/`([\w./-]+\.(?:tsx?|mjs|cpp|h|css|md))`/g)) {
        const here = existsSync(join(root, dirname(file), name!)) || existsSync(join(root, name!));
        expect(here || all.some((one) => one.startsWith(dirname(file) === '.' ? '' : dirname(file)) && one.endsWith(`/${name}`)), `${name} of ${file}`).toBe(true);
      }
    }
  });
});

describe('npm start', () => {
  it('leaves standard output to what the check prints: npm says nothing there', () => {
    const { status, stdout, stderr } = spawnSync('npm', ['start', '--', '--port', 'nonsense'], { cwd: root, encoding: 'utf8' });
    expect({ status, stdout, stderr }).toEqual({ status: 2, stdout: '', stderr: 'usage: npm start -- --port NUMBER\n' });
  });

  it.each([['--chek', 'a.pdf'], ['a.pdf'], ['--port', '99999'], ['--port', '8080', 'more']])('serves nothing for words that it does not know: %s %s', (...words) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ['scripts/start.mjs', ...words], { cwd: root, encoding: 'utf8' });
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toContain('usage: npm start -- --port NUMBER');
  });
});
