/**
 * JSON Schema of ports, as plain objects (TypeBox schemas are such), and the types that they say. Types only; values
 * are checked in `validate.ts`.
 */

/** A schema, or true: anything, false: nothing. */
export type JsonSchema = boolean | JsonSchemaObject;
/** As far as ports are concerned; everything else of JSON Schema may stand in it too. */
export interface JsonSchemaObject {
  readonly $id?: string;
  readonly $schema?: string;
  readonly type?: string | readonly string[];
  readonly title?: string;
  readonly description?: string;
  readonly default?: any;
  readonly const?: any;
  readonly enum?: readonly any[];
  readonly format?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: JsonSchema;
  readonly items?: JsonSchema | readonly JsonSchema[];
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly allOf?: readonly JsonSchema[];
  readonly [keyword: string]: any;
}
/** Ports of a task: an object whose properties are the ports. */
export type DataPortSchema = JsonSchema;

/** What a value that fits the schema is, as far as types can say. A TypeBox or Standard Schema says it itself. */
export type FromSchema<Schema> = Schema extends { readonly static: infer Static }
  ? Static
  : Schema extends { readonly '~standard': { readonly types?: { readonly output: infer Value } | undefined } }
    ? Value
    : Schema extends true
      ? any
      : Schema extends false
        ? never
        : Schema extends { readonly const: infer Value }
          ? Value
          : Schema extends { readonly enum: readonly (infer Value)[] }
            ? Value
            : Schema extends { readonly anyOf: readonly (infer One)[] }
              ? FromSchema<One>
              : Schema extends { readonly oneOf: readonly (infer One)[] }
                ? FromSchema<One>
                : FromType<Schema>;

type FromType<Schema> = Schema extends { readonly type: readonly (infer One extends string)[] }
  ? One extends unknown ? FromType<Omit<Schema, 'type'> & { readonly type: One }> : never
  : Schema extends { readonly type: 'string' }
    ? string
    : Schema extends { readonly type: 'number' | 'integer' }
      ? number
      : Schema extends { readonly type: 'boolean' }
        ? boolean
        : Schema extends { readonly type: 'null' }
          ? null
          : Schema extends { readonly type: 'array' }
            ? Schema extends { readonly items: infer Item } ? FromSchema<Item>[] : any[]
            : Schema extends { readonly properties: infer Ports }
              ? FromPorts<Ports, Schema>
              : Schema extends { readonly type: 'object' }
                ? Record<string, any>
                : any;

type RequiredOf<Schema> = Schema extends { readonly required: readonly (infer Name)[] } ? Name : never;
type FromPorts<Ports, Schema> = Simplify<
  { -readonly [Name in keyof Ports as Name extends RequiredOf<Schema> ? Name : never]: FromSchema<Ports[Name]> } & {
    -readonly [Name in keyof Ports as Name extends RequiredOf<Schema> ? never : Name]?: FromSchema<Ports[Name]>;
  }
>;
type Simplify<Type> = { [Name in keyof Type]: Type[Name] };

/** The schema of one port; undefined: there is no such port. */
export function portOf(schema: JsonSchema, port: string): JsonSchema | undefined {
  if (typeof schema === 'boolean') return schema || undefined;
  const { properties, additionalProperties } = schema;
  if (properties && Object.hasOwn(properties, port)) return properties[port];
  return additionalProperties === true || typeof additionalProperties === 'object' ? additionalProperties : undefined;
}

/** Ports that a task can't do without. */
export function requiredPorts(schema: JsonSchema): readonly string[] {
  return typeof schema === 'object' ? (schema.required ?? []) : [];
}

/** Values that the schema gives to ports; undefined: none. */
export function defaultsOf(schema: JsonSchema): Record<string, any> | undefined {
  if (typeof schema === 'boolean' || !schema.properties) return undefined;
  let defaults: Record<string, any> | undefined;
  for (const [port, each] of Object.entries(schema.properties))
    if (typeof each === 'object' && each.default !== undefined) (defaults ??= {})[port] = each.default;
  return defaults;
}
