import { bytesOf, byteText } from '@cleat/protocol/byte-text';
import { invalidParameter } from '@cleat/protocol/errors';

/**
 * A request's query, read as Docker's daemon reads it (moby `daemon/server/httputils/form.go`). Values are bytes, as
 * paths are: what is no UTF-8 is kept as `@cleat/protocol/byte-text` says.
 */
export class Query {
  readonly #pairs: (readonly [name: string, value: string])[];

  /** @throws InvalidParameter in the words of Go's `url.ParseQuery` */
  constructor(text: string) {
    // Most requests have none.
    this.#pairs =
      text === ''
        ? []
        : text.split('&').flatMap((pair) => {
            if (pair === '') return [];
            if (pair.includes(';')) throw invalidParameter('invalid semicolon separator in query');
            const mark = pair.indexOf('=');
            return [
              mark < 0 ? [unescaped(pair), ''] : [unescaped(pair.slice(0, mark)), unescaped(pair.slice(mark + 1))],
            ];
          });
  }

  /** All of it, decoded, in the order in which it came. */
  get pairs(): readonly (readonly [name: string, value: string])[] {
    return this.#pairs;
  }

  /** A query of these parameters, decoded. */
  static of(pairs: readonly (readonly [name: string, value: string])[]): Query {
    const query = new Query('');
    query.#pairs.push(...pairs);
    return query;
  }

  /** Each once, in the order in which they were given. */
  names(): string[] {
    return [...new Set(this.#pairs.map(([name]) => name))];
  }

  /** Encoded again, in one spelling. */
  toString(): string {
    return this.#pairs.map(([name, value]) => `${escaped(name)}=${escaped(value)}`).join('&');
  }

  has(name: string): boolean {
    return this.#pairs.some((pair) => pair[0] === name);
  }

  /** The first value, or ''. */
  text(name: string): string {
    return this.#pairs.find((pair) => pair[0] === name)?.[1] ?? '';
  }

  all(name: string): string[] {
    return this.#pairs.flatMap((pair) => (pair[0] === name ? [pair[1]] : []));
  }

  /** Everything is true but '', 0, no, false and none. */
  flag(name: string, missing = false): boolean {
    if (!this.has(name)) return missing;
    return !['', '0', 'no', 'false', 'none'].includes(this.text(name).trim().toLowerCase());
  }

  /** undefined when missing or empty. @throws InvalidParameter as Go's Atoi words it. */
  integer(name: string): number | undefined {
    const text = this.text(name);
    if (text === '') return undefined;
    if (!/^[+-]?\d{1,15}$/.test(text)) {
      throw invalidParameter(`strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`);
    }
    return Number(text);
  }
}

/** The parser of HTTP gives each byte of a request's target as one character. */
function unescaped(text: string): string {
  const wrong = /%(?![0-9a-f]{2}).{0,2}/is.exec(text);
  if (wrong) throw invalidParameter(`invalid URL escape ${JSON.stringify(wrong[0])}`);
  const bytes = text
    .replaceAll('+', ' ')
    .replace(/%(..)/g, (_all, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
  return byteText(Buffer.from(bytes, 'latin1'));
}

function escaped(text: string): string {
  return bytesOf(text)
    .toString('latin1')
    .replace(/[^A-Za-z0-9*._ -]/g, (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)
    .replaceAll(' ', '+');
}
