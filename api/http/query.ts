import { invalidParameter } from '@cleat/protocol/errors';

/** A request's query, read as Docker's daemon reads it (moby `daemon/server/httputils/form.go`). */
export class Query {
  readonly #params: URLSearchParams;

  constructor(params: URLSearchParams) {
    this.#params = params;
  }

  /** Encoded again, in one spelling. */
  toString(): string {
    return this.#params.toString();
  }

  has(name: string): boolean {
    return this.#params.has(name);
  }

  /** The first value, or ''. */
  text(name: string): string {
    return this.#params.get(name) ?? '';
  }

  all(name: string): string[] {
    return this.#params.getAll(name);
  }

  /** Everything is true but '', 0, no, false and none. */
  flag(name: string, missing = false): boolean {
    if (!this.#params.has(name)) return missing;
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
