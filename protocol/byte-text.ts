/**
 * Names of files are bytes, which need not be UTF-8. Where such a name is a text (a path in a request), a lone surrogate
 * `\udc80` to `\udcff` stands for one byte that is no UTF-8, as in Python's `surrogateescape`; JSON shows it as U+FFFD.
 */

/** The bytes that a text has in UTF-8, and those that its lone surrogates stand for. */
export function bytesOf(text: string): Buffer {
  if (!/\p{Surrogate}/u.test(text)) return Buffer.from(text);
  return Buffer.concat(
    [...text].map((character) => {
      const code = character.charCodeAt(0);
      const isByte = character.length === 1 && code >= 0xdc80 && code <= 0xdcff;
      return isByte ? Buffer.of(code - 0xdc00) : Buffer.from(character);
    }),
  );
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The text for which {@link bytesOf} gives these bytes. */
export function byteText(bytes: Buffer): string {
  try {
    return strict.decode(bytes);
  } catch {
    // Not UTF-8.
  }
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const length = characterAt(bytes, at);
    text += length === 0 ? String.fromCharCode(0xdc00 + Number(bytes[at])) : bytes.toString('utf8', at, at + length);
    at += length || 1;
  }
  return text;
}

/** How many bytes the character there has; 0 when it is none. */
function characterAt(bytes: Buffer, at: number): number {
  const first = Number(bytes[at]);
  const length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  const character = bytes.subarray(at, at + length);
  // Too short, too long, a surrogate, or beyond Unicode: it does not come back as it was.
  return length > 0 && Buffer.from(character.toString('utf8')).equals(character) ? length : 0;
}

/** As people and Go's JSON see it: U+FFFD for each byte that is no UTF-8. */
export const shownText = (text: string): string => text.replace(/\p{Surrogate}/gu, '\ufffd');
