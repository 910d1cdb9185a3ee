import { type CleatError, invalidParameter } from '@cleat/protocol/errors';
import { isRecord } from '@cleat/protocol/json';
import { nearest } from '@cleat/protocol/nearest';

/**
 * A value of a policy file at its place. Every member must be known: a rule with a misspelled word would say less than
 * its author meant.
 */
export class Reader {
  readonly value: unknown;
  readonly #place: string;

  constructor(value: unknown, place: string) {
    this.value = value;
    this.#place = place;
  }

  get isThere(): boolean {
    return this.value !== undefined && this.value !== null;
  }

  fail(what: string): CleatError {
    return invalidParameter(`${this.#place === '' ? 'the policy' : this.#place}: ${what}`);
  }

  /** Its members, all of which must be among `known`. @throws InvalidParameter */
  members<K extends string>(known: readonly K[]): Readonly<Record<K, Reader>> {
    const map = this.map();
    const strange = Object.keys(map).find((key) => !(known as readonly string[]).includes(key));
    if (strange !== undefined) {
      const near = nearest(strange, known);
      const hint = near === undefined ? `it has ${known.join(', ')}` : `did you mean ${near}?`;
      throw this.fail(`there is no ${JSON.stringify(strange)}; ${hint}`);
    }
    return Object.fromEntries(known.map((key) => [key, this.#at(key, map[key])])) as Record<K, Reader>;
  }

  entries(): [string, Reader][] {
    return Object.entries(this.map()).map(([key, value]) => [key, this.#at(key, value)]);
  }

  map(): Readonly<Record<string, unknown>> {
    if (!isRecord(this.value)) throw this.fail('it must be a map');
    return this.value;
  }

  list(): Reader[] {
    if (!Array.isArray(this.value)) throw this.fail('it must be a list');
    return this.value.map((item: unknown, i) => new Reader(item, `${this.#place}[${i}]`));
  }

  text(): string {
    if (typeof this.value === 'number' || typeof this.value === 'boolean') return String(this.value);
    if (typeof this.value !== 'string') throw this.fail('it must be a text');
    return this.value;
  }

  oneOf<T extends string>(...choices: readonly T[]): T {
    const found = choices.find((choice) => choice === this.value);
    if (found === undefined) throw this.fail(`it must be ${choices.join(' or ')}`);
    return found;
  }

  /** A list of texts; one text stands for a list of it. */
  texts(): string[] {
    return Array.isArray(this.value) ? this.list().map((item) => item.text()) : [this.text()];
  }

  #at(key: string, value: unknown): Reader {
    return new Reader(value, this.#place === '' ? key : `${this.#place}.${key}`);
  }
}
