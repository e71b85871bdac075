/**
 * What people give as `input`, `schema` and `output` of a task: a Standard Schema of whatever library
 * (https://standardschema.dev), or a function. Types only; what they mean is in `validation.ts`.
 */

/** Standard Schema v1, as zod (from 3.24), valibot (from 1.0), arktype (from 2.0) and others implement it. */
export interface StandardSchema<Given = unknown, Parsed = Given> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly types?: { readonly input: Given; readonly output: Parsed } | undefined;
    readonly validate: (value: unknown) => StandardResult<Parsed> | Promise<StandardResult<Parsed>>;
  };
}

export type StandardResult<Parsed> =
  | { readonly value: Parsed; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] };

export interface StandardIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** Gives the parsed value, or throws. */
export type Parse<Given = any, Parsed = any> = (value: Given) => Parsed | Promise<Parsed>;

export type Validator<Given = any, Parsed = any> = StandardSchema<Given, Parsed> | Parse<Given, Parsed>;

/** `nonEmpty`: a Blob or File without a byte is a failed attempt. */
export interface OutputOptions<Schema extends Validator | undefined = Validator | undefined> {
  nonEmpty?: boolean;
  schema?: Schema;
}

/** What a schema gives; without one, `Fallback`. Most libraries' schemas are also functions: they count as schemas. */
export type Parsed<Schema, Fallback> = [Schema] extends [StandardSchema<any, infer Value>]
  ? Value
  : [Schema] extends [Parse<any, infer Value>]
    ? Awaited<Value>
    : [Schema] extends [OutputOptions<infer Inner>]
      ? Parsed<Inner, Fallback>
      : Fallback;

/** What a schema takes; without one, `Fallback`. A function that says `unknown` takes what it gives. */
export type Given<Schema, Fallback> = [Schema] extends [StandardSchema<infer Value, any>]
  ? Value
  : [Schema] extends [Parse<infer Value, infer Result>]
    ? unknown extends Value
      ? Awaited<Result>
      : Value
    : [Schema] extends [OutputOptions<infer Inner>]
      ? Given<Inner, Fallback>
      : Fallback;
