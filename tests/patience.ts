/**
 * How long tests that wait for something real (a stream, a file, a worker) wait for it: vitest's second is less than a
 * machine under load may take, and what never comes is found all the same.
 */
import { vi } from 'vitest';

export const patienceMs = 20_000;

const { waitFor } = vi;
vi.waitFor = (callback, options = patienceMs) => waitFor(callback, options);
