/**
 * Runs that code of another version began: what becomes of them is decided before any code of today runs.
 *
 * Invariant: code of one version never goes on with the records of another one unless its task says so
 * (`replay`, the default). What begins anew is noted with its version in the frame that drops its records,
 * so it begins anew once, whatever crashes.
 */
import { firstVersion, majorOf, migrationPath } from '../cache/version.ts';
import { checkFunction } from '../intake/checks.ts';
import type { ContextServices } from '../context/services.ts';
import { VersionChangedError } from '../errors.ts';
import { NoteKind } from '../journal/notes.ts';
import type { Run } from '../runs/run.ts';
import type { NamedSpec } from './spec.ts';
import type { TaskHandler } from './types.ts';
import { beginAnew } from './version-change.ts';

/** The code that goes on with the run; undefined: today's. @throws VersionChangedError, and what begins the run anew */
export async function codeFor(services: ContextServices, run: Run, spec: NamedSpec): Promise<TaskHandler | undefined> {
  const today = majorOf(spec.version);
  const begun = majorOf((services.readNote(run, NoteKind.Version)?.value ?? run.extra.version ?? firstVersion) as number | string);
  if (begun === today) return undefined;
  if (spec.onVersionChange === 'restart' || isFirst(services, run)) return beginWith(services, run, today);
  const load = spec.onVersionChange === 'finish-old' ? spec.formerVersions![begun] : undefined;
  if (!load) throw changed(run, begun, today, spec.onVersionChange === 'finish-old' ? ` Say where that is: formerVersions: { ${begun}: () => import(…) }.` : '');
  return finishing(await load(), spec, begun, run);
}

/** Made when the code was another one, and begun by nobody. */
function isFirst(services: ContextServices, run: Run): boolean {
  return run.attempt <= 1 && !hasRecords(services, run);
}

function hasRecords(services: ContextServices, run: Run): boolean {
  return services.historyOf(run).entries.length > 0 || services.forkedOf(run).length > 0;
}

async function beginWith(services: ContextServices, run: Run, today: number | string): Promise<undefined> {
  const note = await services.writeNote(run, NoteKind.Version, today, 'version');
  if (hasRecords(services, run)) throw beginAnew(note);
  // Nothing to begin anew.
  note();
}

/** The old code, and what leads from what it returns to an output of today. */
function finishing(loaded: TaskHandler | { default: TaskHandler }, { id, version, migrations }: NamedSpec, begun: number | string, run: Run): TaskHandler {
  const former = typeof loaded === 'function' ? loaded : loaded?.default;
  checkFunction(former, `defineTask "${id}" formerVersions[${begun}] must give the handler, or a module whose default it is; that`);
  return async (input, ctx) => {
    let output = await former(input, ctx);
    for (const from of migrationPath(begun, majorOf(version), migrations) ?? []) output = await migrations![from]!(output, input);
    return output;
  };
}

function changed(run: Run, begun: number | string, today: number | string, fix: string): VersionChangedError {
  return new VersionChangedError(`Run ${run.id} was begun by version ${begun} of "${run.taskIdentifier}", whose code is version ${today} now.${fix}`, { data: { begun, today } });
}
