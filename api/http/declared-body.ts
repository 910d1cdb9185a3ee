import { stringify } from '@cleat/protocol/json';
import { decodeBody, type JsonBody } from './body.js';

export interface DeclaredBodyParts {
  /** Reads what the client sent. @throws InvalidParameter when it is too large */
  read(): Promise<string>;
  /** How to decode it; undefined where no body is expected. */
  expected(): { readonly body: JsonBody; readonly type: string | undefined } | undefined;
}

/** The JSON body of a request: read once, decoded once, and the same for all who look at it. */
export class DeclaredBody {
  readonly #parts: DeclaredBodyParts;
  #text: Promise<string> | undefined;
  #value: Promise<unknown> | undefined;

  constructor(parts: DeclaredBodyParts) {
    this.#parts = parts;
  }

  /** In its schema's shape; undefined when there is none. @throws InvalidParameter */
  value(): Promise<unknown> {
    this.#value ??= this.#decode();
    return this.#value;
  }

  async #decode(): Promise<unknown> {
    const expected = this.#parts.expected();
    return expected && decodeBody(expected.body, await this.text(), expected.type);
  }

  /** As it was sent, or as it was replaced. @throws InvalidParameter when it is too large */
  text(): Promise<string> {
    this.#text ??= this.#parts.read();
    return this.#text;
  }

  /** Another text in its place, before anybody has decoded it. */
  replaceText(text: string): void {
    this.#text = Promise.resolve(text);
    this.#value = undefined;
  }

  replaceValue(value: unknown): void {
    this.#value = Promise.resolve(value);
  }

  /** Another route declares it in another way. */
  decodeAgain(): void {
    this.#value = undefined;
  }

  /**
   * As the checks have seen it, for another engine, and only if they have looked. Nothing of it is left to be read then.
   */
  async judged(): Promise<{ json: Buffer | undefined } | undefined> {
    if (!this.#text && !this.#value) return undefined;
    const value = await this.value();
    if (value !== undefined) return { json: Buffer.from(stringify(value)) };
    if (!this.#text) return undefined;
    // Adapters have seen it where the route declares none.
    const text = this.#parts.expected() ? '' : await this.#text;
    return { json: text === '' ? undefined : Buffer.from(text) };
  }
}
