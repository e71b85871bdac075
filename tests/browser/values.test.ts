/** Values that only browsers have in full: what comes back after the browser was killed is what was given. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { House, type Tab } from './system-house.ts';

let house: House;
beforeAll(async () => {
  house = await House.open();
}, 60_000);
afterAll(() => house?.close());

/** Gives the run's id. The caller's own is closed, locked or changed before the run begins. */
function submitAll(tab: Tab): Promise<string> {
  return tab.page.evaluate(async () => {
    const pixels = new ImageData(3, 2);
    pixels.data.set([10, 20, 30, 255, 200, 100, 50, 255, 0, 0, 0, 255, 255, 255, 255, 255, 1, 2, 3, 255, 9, 8, 7, 255]);
    const bitmap = await createImageBitmap(pixels);
    const form = new FormData();
    form.set('field', 'ü');
    form.set('file', new File(['in the form'], 'a.txt', { type: 'text/plain', lastModified: 7 }));
    const request = new Request('/somewhere', { method: 'POST', headers: { 'x-a': 'b' }, body: 'of the request' });
    const stream = new Response('of the stream').body;
    const { system } = globalThis as any;
    const submitted = system.submit('echo', { bitmap, form, request, stream }, { delay: 3000 });
    bitmap.close();
    form.set('field', 'changed');
    return submitted;
  });
}

function told(tab: Tab, run: string): Promise<unknown> {
  return tab.page.evaluate(async (id) => {
    const read = async () => {
      const { bitmap, form, request, stream } = await (globalThis as any).system.handle(id).result();
      const canvas = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d')!;
      canvas.drawImage(bitmap, 0, 0);
      bitmap.close();
      const file = form.get('file');
      return {
        pixels: [...canvas.getImageData(0, 0, canvas.canvas.width, canvas.canvas.height).data],
        form: [form.get('field'), file.name, file.type, file.lastModified, await file.text()],
        request: [request.method, new URL(request.url).pathname, request.headers.get('x-a'), await request.text()],
        stream: await new Response(stream).text(),
      };
    };
    return [await read(), await read()];
  }, run);
}

const all = {
  pixels: [10, 20, 30, 255, 200, 100, 50, 255, 0, 0, 0, 255, 255, 255, 255, 255, 1, 2, 3, 255, 9, 8, 7, 255],
  form: ['ü', 'a.txt', 'text/plain', 7, 'in the form'],
  request: ['POST', '/somewhere', 'b', 'of the request'],
  stream: 'of the stream',
};

describe('bitmaps, forms, requests and streams', () => {
  it('I1: outlive a killed browser as input and as result, and every reader has one of its own', async () => {
    const tab = await house.tab();
    const run = await submitAll(tab);
    await house.crash();
    const next = await house.tab();
    await next.ended(run);
    expect(await told(next, run)).toEqual([all, all]);
    const usage = await next.command('storageUsage');
    // PNG, file, two bodies: as input and as result the same ones.
    expect(usage.blobs.count).toBe(4);
    await next.command('removeTask', run);
    expect((await next.command('storageUsage')).blobs.count).toBe(0);
  });

  it('a bitmap is taken by value where nothing is kept beyond memory, too', async () => {
    const tab = await house.tab({ id: 'in-memory', storage: 'memory' });
    const pixel = await tab.page.evaluate(async () => {
      const pixels = new ImageData(1, 1);
      pixels.data.set([1, 2, 3, 255]);
      const bitmap = await createImageBitmap(pixels);
      const { system } = globalThis as any;
      const id = await system.submit('echo', { bitmap });
      bitmap.close();
      const result = await system.handle(id).result();
      const canvas = new OffscreenCanvas(1, 1).getContext('2d')!;
      canvas.drawImage(result.bitmap, 0, 0);
      return [...canvas.getImageData(0, 0, 1, 1).data];
    });
    expect(pixel).toEqual([1, 2, 3, 255]);
  });

  it('a closed bitmap is refused at the call', async () => {
    const tab = await house.tab({ id: 'closed' });
    const message = await tab.page.evaluate(async () => {
      const bitmap = await createImageBitmap(new ImageData(1, 1));
      bitmap.close();
      return (globalThis as any).system.submit('echo', { pictures: [bitmap] }).catch((error: any) => `${error.code} ${error.message}`);
    });
    expect(message).toMatch(/^NOT_CLONEABLE trigger "echo": input\.pictures\[0\] is an ImageBitmap that was closed/);
  });
});
