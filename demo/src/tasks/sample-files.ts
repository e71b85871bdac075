/** Files to try a pipeline with, made when they are needed: nothing is downloaded, nothing binary is kept. */

const kNotes = [
  ['Field notes', 'Monday. Wind from the west, the harbour is quiet.', 'Two boats came in before noon, both with cod.', 'The ice on the north wall is thicker than last year.'],
  ['Tuesday', 'Fog until ten. The ferry waited at the outer mark.', 'Counted forty-one gulls, nineteen terns and one heron.', 'The heron stood on the north wall for an hour.'],
  ['Wednesday', 'Clear. Repaired the second anchor with new line.', 'The old line had held for eleven years.', 'Anchors hold when nobody looks: that is what they are for.'],
  ['Thursday', 'Storm warning at six. All boats are in.', 'The harbour master closed the gate at eight.', 'Nothing broke loose.'],
];

/** A PDF of a page for each list of lines: the plainest there is, with a standard font. */
export function plainPdf(title: string, pages: readonly (readonly string[])[]): Blob {
  const escaped = (text: string) => text.replace(/[\\()]/g, '\\$&');
  const objects: string[] = [];
  const first = 4;
  objects[1] = '<< /Type /Catalog /Pages 2 0 R >>';
  objects[2] = `<< /Type /Pages /Count ${pages.length} /Kids [${pages.map((_, index) => `${first + index * 2} 0 R`).join(' ')}] >>`;
  objects[3] = '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>';
  for (const [index, lines] of pages.entries()) {
    const text = `BT /F1 16 Tf 60 760 Td 26 TL ${lines.map((line) => `(${escaped(line)}) Tj T*`).join(' ')} ET`;
    objects.push(`<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> /Contents ${first + index * 2 + 1} 0 R >>`);
    objects.push(`<< /Length ${text.length} >>\nstream\n${text}\nendstream`);
  }
  const info = objects.push(`<< /Title (${escaped(title)}) >>`) - 1;
  let body = '%PDF-1.4\n';
  const offsets: number[] = [];
  for (let number = 1; number < objects.length; number++) {
    offsets.push(body.length);
    body += `${number} 0 obj\n${objects[number]}\nendobj\n`;
  }
  const table = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`).join('');
  return new Blob([`${body}xref\n0 ${objects.length}\n0000000000 65535 f \n${table}trailer\n<< /Size ${objects.length} /Root 1 0 R /Info ${info} 0 R >>\nstartxref\n${body.length}\n%%EOF\n`], { type: 'application/pdf' });
}

export const samplePdf = (): File => new File([plainPdf('Field notes', kNotes)], 'field-notes.pdf', { type: 'application/pdf', lastModified: 0 });

const kPlaces = ['Bergen', 'Oban', 'Brest', 'Porto'];

/** Orders of a small shop, the same each time. */
export function sampleJson(): File {
  const orders = Array.from({ length: 40 }, (_, index) => ({
    order: 1001 + index, place: kPlaces[(index * 7) % kPlaces.length], items: 1 + ((index * 5) % 4), amount: Math.round((12 + ((index * 37) % 90) * 1.75) * 100) / 100,
  }));
  return new File([JSON.stringify(orders, null, 1)], 'orders.json', { type: 'application/json', lastModified: 0 });
}
