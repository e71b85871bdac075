import { describe, expect, it } from 'vitest';
import { catalogueOf, checkDocument, compileDocument, drawDocument, type GraphCatalogue, layoutDocument, toDependencyDocument } from '../../js/graph/document.ts';
import { TaskRegistry } from '../../js/graph/registry.ts';
import { Task } from '../../js/graph/task.ts';

const catalogue: GraphCatalogue = Object.freeze({
  types: {
    Text: { outputs: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] } },
    Length: { inputs: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] }, outputs: { type: 'object', properties: { length: { type: 'integer' } } } },
  },
  merges: ['last'],
  limits: { maxBytes: 1_000_000 },
});
const flow = (sourceTaskId: string, sourceTaskPortId: string, targetTaskId: string, targetTaskPortId: string) => ({ sourceTaskId, sourceTaskPortId, targetTaskId, targetTaskPortId });
const sound = { tasks: [{ id: 'b', type: 'Length' }, { id: 'a', type: 'Text', name: 'Ä 😀' }], dataflows: [flow('a', 'text', 'b', 'text')], layout: { a: [1, 2] } };

describe('a graph document', () => {
  it('is planned, as text and as an object alike', async () => {
    const compiled = await compileDocument(sound, catalogue);
    expect(compiled).toEqual({ issues: [], plan: { order: [1, 0], heights: [1, 2], pairs: [{ source: 1, target: 0, data: [0], errors: [] }], incoming: [[0], []], subgraphs: [] } });
    expect(await compileDocument(JSON.stringify(sound), catalogue)).toEqual(compiled);
  });

  it('has all its issues told, each with a pointer that finds the value', async () => {
    const { issues } = await checkDocument({ tasks: [{ id: 'a', type: 'Nope' }, { id: 'b', type: 'Length' }], dataflows: [flow('a', 'text', 'b', 'none'), flow('b', 'length', 'b', 'text')] }, catalogue);
    expect(issues.map(({ code, pointer, severity }) => [code, pointer, severity])).toEqual([
      ['unknown-type', '/tasks/0/type', 'error'],
      ['unknown-port', '/dataflows/0/targetTaskPortId', 'error'],
      ['self-edge', '/dataflows/1', 'error'],
      ['missing-input', '/tasks/1', 'error'],
    ]);
  });

  it('is refused where it is hostile', async () => {
    const codes = async (text: string) => (await compileDocument(text, catalogue)).issues.map(({ code }) => code);
    expect(await codes('['.repeat(100_000))).toEqual(['too-deep']);
    expect(await codes(' '.repeat(1_000_001))).toEqual(['too-large']);
    expect(await codes('{"tasks":[],"dataflows":[],"__proto__":{"polluted":1}}')).toEqual(['forbidden-key']);
    expect(await codes('{"tasks":[],"dataflows":[],"n":"\ud800"}')).toEqual(['invalid-json']);
    expect(await codes('{"tasks":[],"dataflows":[],"n":"\\ud800"}')).toEqual(['invalid-json']);
    expect(await codes('{"tasks":[],"dataflows":[],"n":1e999}')).toEqual(['invalid-json']);
    expect(({} as any).polluted).toBeUndefined();
  });

  it('goes into the dependency form and back', async () => {
    const { document } = await toDependencyDocument(sound, catalogue);
    expect(document).toEqual([{ id: 'b', type: 'Length', dependencies: { text: { id: 'a', output: 'text' } } }, { id: 'a', type: 'Text', name: 'Ä 😀' }]);
    const back = await compileDocument(document!, catalogue);
    expect(back.document).toEqual({ tasks: sound.tasks, dataflows: sound.dataflows });
  });

  it('is drawn and laid out', async () => {
    expect((await drawDocument(sound, catalogue, 'mermaid')).text).toBe('flowchart LR\n  n0["b<br/><i>Length</i>"]\n  n1["Ä 😀<br/><i>Text</i>"]\n  n1 -->|"text → text"| n0\n');
    expect((await layoutDocument(sound, catalogue)).places).toEqual([{ id: 'b', column: 1, row: 0, x: 264, y: 0 }, { id: 'a', column: 0, row: 0, x: 0, y: 0 }]);
  });

  it('is checked by what a registry knows', async () => {
    class Shout extends Task {
      static override readonly type = 'Shout';
      static override inputSchema() {
        return { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] } as const;
      }
    }
    class Free extends Task {
      static override readonly type = 'Free';
      static override readonly hasDynamicSchemas = true;
    }
    const known = new TaskRegistry().registerTask(Shout, Free);
    const document = { tasks: [{ id: 's', type: 'Shout' }, { id: 'f', type: 'Free' }], dataflows: [flow('f', 'any', 's', 'tone')] };
    expect((await checkDocument(document, catalogueOf(known))).issues.map(({ code, pointer }) => `${code} ${pointer}`)).toEqual(['unknown-port /dataflows/0/targetTaskPortId', 'missing-input /tasks/0']);
    expect((await checkDocument({ tasks: document.tasks }, catalogueOf(known, { allowedTypes: ['Shout'] }))).issues.map(({ code }) => code)).toEqual(['unknown-type']);
  });

  it('is checked by the catalogue of its call, whichever came before', async () => {
    const other = { types: { Other: {} } };
    expect((await checkDocument(sound, other)).issues.map(({ code }) => code)).toEqual(['unknown-type', 'unknown-type']);
    expect((await checkDocument(sound, catalogue)).issues).toEqual([]);
    await expect(checkDocument(sound, 3 as never)).rejects.toThrow("The catalogue of task types can't be read");
    expect((await checkDocument(sound, catalogue)).issues).toEqual([]);
  });
});
