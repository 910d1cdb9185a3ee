/**
 * Names of files are bytes, which need not be UTF-8. Where a user's tree is walked, and in archives, they are held as
 * strings of which each character is one byte: such strings can be compared, cut and joined, and nothing is lost.
 */
declare const brand: unique symbol;
export type ByteName = string & { readonly [brand]: true };

/** The bytes that a text has in UTF-8. A lone surrogate `\udc80` to `\udcff` stands for one byte that is no UTF-8. */
export function nameOf(text: string): ByteName {
  return bytesOf(text).toString('latin1') as ByteName;
}

/** As {@link nameOf}, for a system call. */
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

/** A name for people: what is no UTF-8 is replaced. */
export function textOf(name: ByteName): string {
  return Buffer.from(name, 'latin1').toString('utf8');
}

/** Several parts as one name. */
export function joined(...parts: (ByteName | '/' | '.' | '')[]): ByteName {
  return parts.join('') as ByteName;
}

/** The path of an entry of an open directory; `name` is one component, and never followed out of it. */
export function entryAt(directoryFd: number, name: ByteName | '.' | '..'): Buffer {
  return Buffer.from(`/proc/self/fd/${directoryFd}/${name}`, 'latin1');
}
