/** Names for what people download: whatever a file was called, the result is one plain file name. */

/** Below what every file system takes (255 bytes), with room for `(1)` and an extension. */
const kMaxBytes = 120;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const kForbidden = /[\u0000-\u001f\u007f-\u009f"*:<>?|\\/\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;
const kReserved = /^(con|prn|aux|nul|com\d|lpt\d)$/i;

/** Half an emoji can't be written as UTF-8. */
function wellFormed(text: string): string {
  return new TextDecoder().decode(new TextEncoder().encode(text));
}

/** Cuts at whole characters, so that no emoji is torn apart. */
function shorten(text: string, maxBytes: number): string {
  const encoder = new TextEncoder();
  let bytes = 0;
  let kept = '';
  for (const { segment } of new Intl.Segmenter('en', { granularity: 'grapheme' }).segment(text)) {
    bytes += encoder.encode(segment).length;
    if (bytes > maxBytes) break;
    kept += segment;
  }
  return kept;
}

/** The last part of a path, without its extension and without anything a file system or a shell minds. */
export function baseName(fileName: string): string {
  const last = fileName.split(/[\\/]/).at(-1) ?? '';
  const stem = last.replace(/\.[a-z0-9]{1,8}$/i, '').replace(kForbidden, '_');
  const tidy = shorten(wellFormed(stem), kMaxBytes).replace(/^[.\s]+|[.\s]+$/g, '');
  if (tidy === '' || /^_+$/.test(tidy)) return 'document';
  return kReserved.test(tidy) ? `${tidy}_` : tidy;
}

/** A name as it may stand in a sentence: on one line and of `most` characters at most, its beginning and its end. */
export function shownName(fileName: string, most = 80): string {
  const plain = fileName.replace(kForbidden, (character) => ('/\\":*?<>|'.includes(character) ? character : ' '));
  const characters = [...plain];
  if (characters.length <= most) return plain;
  return `${characters.slice(0, (most * 5) / 8).join('')}…${characters.slice(-most / 4).join('')}`;
}

/** `page-001`; as many digits as the last number has, at least three, so that names sort as numbers do. */
export function numbered(word: string, index: number, count: number): string {
  return `${word}-${String(index).padStart(Math.max(3, String(count).length), '0')}`;
}
