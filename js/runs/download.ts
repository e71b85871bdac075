/** Saves a Blob or File as a file of the person's. Browsers only. */
import { ConfigurationError } from '../errors.ts';

/** Without a name asked for, a File has its own, and a Blob the fallback. @throws ConfigurationError for anything else */
export async function saveBlob(value: unknown, fileName: string | undefined, fallback: string): Promise<void> {
  if (!(value instanceof Blob)) throw new ConfigurationError(`download() needs a run whose result is a Blob or File, not ${typeof value}.`);
  const link = document.createElement('a');
  link.href = URL.createObjectURL(value);
  link.download = fileName ?? (value instanceof File ? value.name : fallback);
  link.click();
  await new Promise<void>((resolve) => {
    // The click has handed the blob over when the next macrotask runs.
    const channel = new MessageChannel();
    channel.port1.onmessage = () => {
      channel.port1.close();
      resolve();
    };
    channel.port2.postMessage(0);
  });
  URL.revokeObjectURL(link.href);
}
