/** Which ports are fed from where, when nobody says so. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { autoConnect, type AutoConnectOptions, type Connectable } from '../../../js/graph/auto-connect.ts';
import { portsCompatible } from '../../../js/graph/compatibility.ts';
import type { JsonSchemaObject } from '../../../js/graph/ports.ts';

const text = { type: 'string' };
const number = { type: 'number' };
const vector = { type: 'array', format: 'TypedArray' };
const ports = (properties: Record<string, any>, required: string[] = [], more: object = {}): JsonSchemaObject => ({ type: 'object', properties, required, ...more });
const node = (type: string, input: JsonSchemaObject | boolean, output: JsonSchemaObject | boolean): Connectable => ({ id: type.toLowerCase(), type, inputSchema: () => input, outputSchema: () => output });

const matched = (source: Connectable, target: Connectable, options?: AutoConnectOptions) => Object.fromEntries(autoConnect(source, target, options).matches);

describe('autoConnect', () => {
  it('connects ports of one name whose types fit', () => {
    const source = node('Source', true, ports({ text, count: number, other: text }));
    expect(matched(source, node('Target', ports({ text, count: text, more: text }), true))).toEqual({ text: 'text' });
  });

  it('connects output to input', () => {
    const source = node('Source', true, ports({ output: text }));
    expect(matched(source, node('Target', ports({ input: text }, ['input']), true))).toEqual({ input: 'output' });
  });

  it('prefers the port of the same name to the convention', () => {
    const source = node('Source', true, ports({ output: text, input: text }));
    expect(matched(source, node('Target', ports({ input: text }), true))).toEqual({ input: 'input' });
  });

  it('connects what means the same, whatever the names; plain types are not enough', () => {
    const source = node('Source', true, ports({ embedding: vector, label: text }));
    expect(matched(source, node('Target', ports({ query: vector, title: text }), true))).toEqual({ query: 'embedding' });
    const chunk = { $id: 'Chunk', type: 'object' };
    expect(matched(node('Source', true, ports({ piece: chunk })), node('Target', ports({ chunks: { anyOf: [chunk, { type: 'array', items: chunk }] } }), true))).toEqual({ chunks: 'piece' });
  });

  it('of several that mean the same, takes the one that streams as the target does', () => {
    const source = node('Source', true, ports({ whole: { ...text, format: 'markdown' }, live: { ...text, format: 'markdown', 'x-stream': 'append' } }));
    expect(matched(source, node('Target', ports({ body: { ...text, format: 'markdown', 'x-stream': 'append' } }), true))).toEqual({ body: 'live' });
    expect(matched(source, node('Target', ports({ body: { ...text, format: 'markdown' } }), true))).toEqual({ body: 'whole' });
  });

  it('looks back at earlier nodes for what is required, the nearest first', () => {
    const near = node('Near', true, ports({ model: text }));
    const far = node('Far', true, ports({ model: text, prompt: text }));
    const { dataflows, unmatchedRequired, error } = autoConnect(node('Source', true, ports({ text })), node('Target', ports({ text, model: text, prompt: text, extra: text }, ['text', 'model', 'prompt']), true), { earlierTasks: [near, far] });
    expect(dataflows.map(({ sourceTaskId, targetTaskPortId }) => [sourceTaskId, targetTaskPortId])).toEqual([['source', 'text'], ['near', 'model'], ['far', 'prompt']]);
    expect([unmatchedRequired, error]).toEqual([[], undefined]);
  });

  it('says which required ports are left', () => {
    const { error, unmatchedRequired } = autoConnect(node('Source', true, ports({ text })), node('Target', ports({ text, model: text, limit: { type: 'integer', default: 5 } }, ['text', 'model', 'limit']), true));
    expect(unmatchedRequired).toEqual(['model']);
    expect(error).toBe('Could not find matches for required inputs [model] of Target. Attempted to match from Source and earlier tasks. Give them a value, or say where they come from: rename(output, input) before it is added.');
  });

  it('leaves alone what is provided or connected', () => {
    const source = node('Source', true, ports({ text, model: text }));
    const target = node('Target', ports({ text, model: text, prompt: text }, ['text', 'model', 'prompt']), true);
    expect(matched(source, target, { connectedInputKeys: ['text'], providedInputKeys: ['prompt'] })).toEqual({ model: 'model' });
    expect(autoConnect(source, target, { connectedInputKeys: ['text'], providedInputKeys: ['prompt'] }).error).toBeUndefined();
  });

  it('says when nothing matches at all, and is quiet where nothing has to', () => {
    const source = node('Source', true, ports({ text }));
    expect(autoConnect(source, node('Target', ports({ count: number }), true)).error).toContain('Could not find a match between the outputs of Source and the inputs of Target.');
    expect(autoConnect(source, node('Target', ports({ count: { ...number, default: 1 } }), true)).error).toBeUndefined();
    expect(autoConnect(source, node('Target', ports({ count: number }), true), { providedInputKeys: ['count'] }).error).toBeUndefined();
    expect(autoConnect(source, node('Target', ports({}), true)).error).toBeUndefined();
  });

  it('a node that takes any ports gets all that are listed', () => {
    const source = node('Source', true, ports({ text, count: number }));
    expect(matched(source, node('Target', ports({}, [], { additionalProperties: true }), true))).toEqual({ text: 'text', count: 'count' });
    expect(matched(source, node('Target', true, true))).toEqual({ text: 'text', count: 'count' });
  });

  it('the graph\'s own input gives whatever is asked; others of any ports only what is needed', () => {
    const open = ports({}, [], { additionalProperties: true });
    const target = node('Target', ports({ text, model: text }, ['text']), true);
    expect(matched(node('InputTask', open, open), target)).toEqual({ text: 'text', model: 'model' });
    expect(matched(node('JsonTask', true, open), target)).toEqual({ text: 'text' });
  });
});

const schema = fc.constantFrom<JsonSchemaObject>(text, number, vector, { type: 'integer' }, { ...text, format: 'uri' }, { $id: 'Chunk', type: 'object' });
const anyPorts = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'input', 'output'), schema, { maxKeys: 5 }).chain((properties) => fc.subarray(Object.keys(properties)).map((required) => ports(properties, required)));

describe('laws of autoConnect', () => {
  it('only edges that fit, to ports that nothing feeds; what is left of the required is named', () => {
    fc.assert(
      fc.property(anyPorts, anyPorts, fc.array(anyPorts, { maxLength: 3 }), fc.subarray(['a', 'b']), (output, input, earlier, connectedInputKeys) => {
        const source = node('Source', true, output);
        const target = node('Target', input, true);
        const earlierTasks = earlier.map((each, index) => node(`E${index}`, true, each));
        const found = autoConnect(source, target, { earlierTasks, connectedInputKeys });
        const nodes = new Map([source, ...earlierTasks].map((each) => [each.id, each]));
        for (const { sourceTaskId, sourceTaskPortId, targetTaskPortId } of found.dataflows) {
          expect(portsCompatible(nodes.get(sourceTaskId)!.outputSchema(), sourceTaskPortId, input, targetTaskPortId)).not.toBe('incompatible');
          expect(connectedInputKeys).not.toContain(targetTaskPortId);
        }
        const fed = new Set([...found.matches.keys(), ...connectedInputKeys]);
        expect(found.dataflows).toHaveLength(found.matches.size);
        expect(found.unmatchedRequired).toEqual(input.required!.filter((port) => !fed.has(port)));
        expect(found.unmatchedRequired.length > 0 && found.error === undefined).toBe(false);
        expect(autoConnect(source, target, { earlierTasks, connectedInputKeys })).toEqual(found);
      }),
    );
  });

  it('more nodes to look back at never leave more unmatched', () => {
    fc.assert(
      fc.property(anyPorts, anyPorts, anyPorts, (output, input, earlier) => {
        const [source, target] = [node('Source', true, output), node('Target', input, true)];
        const without = autoConnect(source, target).unmatchedRequired;
        for (const port of autoConnect(source, target, { earlierTasks: [node('E', true, earlier)] }).unmatchedRequired) expect(without).toContain(port);
      }),
    );
  });
});
