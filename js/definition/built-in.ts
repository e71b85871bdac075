/** Definitions of our own whose runs are seen: they are listed as everybody's are, and no task of the application. */
import { containerPrefix } from '../waiting/internal.ts';

export function isBuiltIn(id: string): boolean {
  return id.startsWith(containerPrefix);
}
