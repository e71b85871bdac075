// Reads the one log of a directory of the origin's private files: its largest half.
self.onmessage = async ({ data: path }) => {
  try {
    let directory = await navigator.storage.getDirectory();
    for (const name of path.split('/')) directory = await directory.getDirectoryHandle(name);
    let largest;
    for (const name of ['slot-0.a', 'slot-0.b']) {
      const file = await (await directory.getFileHandle(name)).createSyncAccessHandle();
      if (!largest || file.getSize() > largest.getSize()) largest = file;
    }
    const bytes = new Uint8Array(largest.getSize());
    largest.read(bytes, { at: 0 });
    postMessage(bytes, [bytes.buffer]);
  } catch (error) {
    postMessage({ error: String(error) });
  }
};
