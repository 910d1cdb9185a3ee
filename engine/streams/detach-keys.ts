import { invalidParameter } from '@cleat/protocol/errors';

/** ctrl-p, ctrl-q */
const defaultKeys = [16, 17];
const controls: Readonly<Record<string, number>> = { '@': 0, '[': 27, '\\': 28, ']': 29, '^': 30, _: 31 };

/**
 * Docker's notation: `ctrl-p,ctrl-q`, single characters, separated by commas. Undefined: the default; empty: none.
 * @param what they are called in an error: Docker has two words for them
 * @throws InvalidParameter
 */
export function parseDetachKeys(text: string | undefined, what: 'detach' | 'escape' = 'detach'): number[] {
  if (text === undefined) return defaultKeys;
  if (text === '') return [];
  return text.split(',').map((key) => {
    const control = /^ctrl-(.)$/.exec(key)?.[1];
    if (control !== undefined) {
      const code = /[a-z]/.test(control) ? control.charCodeAt(0) - 96 : controls[control];
      if (code !== undefined) return code;
    } else if (Buffer.byteLength(key) === 1) return key.charCodeAt(0);
    throw invalidParameter(`Invalid ${what} keys (${text}) provided`);
  });
}

/** Watches input for the sequence; what only looked like its beginning is passed on. */
export class DetachWatch {
  readonly #keys: readonly number[];
  #matched = 0;

  constructor(keys: readonly number[]) {
    this.#keys = keys;
  }

  /** @returns what to pass on, and whether the sequence was completed (what follows it is dropped) */
  filter(input: Uint8Array): { pass: Uint8Array; detached: boolean } {
    if (this.#keys.length === 0) return { pass: input, detached: false };
    const pass: number[] = [];
    for (const byte of input) {
      if (byte !== this.#keys[this.#matched] && this.#matched > 0) {
        pass.push(...this.#keys.slice(0, this.#matched));
        this.#matched = 0;
      }
      if (byte !== this.#keys[this.#matched]) pass.push(byte);
      else if (++this.#matched === this.#keys.length) return { pass: Uint8Array.from(pass), detached: true };
    }
    return { pass: Uint8Array.from(pass), detached: false };
  }
}
