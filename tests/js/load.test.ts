/** What a module is that can't be started: an error with what to do, and no wait without an end. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { loadCore } from '../../js/load.ts';

it('a module that is another one is a CoreLoadError', { timeout: 5000 }, async () => {
  const other = readFileSync(new URL('../../js/json.wasm', import.meta.url));
  await expect(loadCore(other)).rejects.toMatchObject({ name: 'CoreLoadError', message: expect.stringContaining('does not fit this version') });
});
