import { readFileSync, statSync } from 'node:fs';

/** How long what was read is taken for true, in ms. */
const trustedMs = 1_000;

/** `/etc/passwd` or `/etc/group`: names and numbers of this host; not those of a directory service, which may take its time. */
class Accounts {
  readonly #path: string;
  #known: { names: ReadonlyMap<number, string>; numbers: ReadonlyMap<string, number>; version: string } | undefined;
  #looked = 0;

  constructor(path: string) {
    this.#path = path;
  }

  name(number: number): string | undefined {
    return this.#read().names.get(number);
  }

  number(name: string): number | undefined {
    return this.#read().numbers.get(name);
  }

  #read() {
    const now = performance.now();
    if (this.#known && now - this.#looked < trustedMs) return this.#known;
    this.#looked = now;
    try {
      const { mtimeMs, size, ino } = statSync(this.#path);
      const version = `${mtimeMs} ${size} ${ino}`;
      if (this.#known?.version !== version) this.#known = { ...parsed(readFileSync(this.#path, 'utf8')), version };
    } catch {
      // A host without that file has no names.
      this.#known = { names: new Map(), numbers: new Map(), version: '' };
    }
    return this.#known;
  }
}

const users = new Accounts('/etc/passwd');
const groups = new Accounts('/etc/group');

export function userName(uid: number): string | undefined {
  return users.name(uid);
}

export function groupNumber(name: string): number | undefined {
  return groups.number(name);
}

/** The first name of a number is the one that the C library tells. */
function parsed(text: string): { names: Map<number, string>; numbers: Map<string, number> } {
  const names = new Map<number, string>();
  const numbers = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [name, , digits] = line.split(':');
    if (!name || !digits || !/^\d+$/.test(digits)) continue;
    if (!names.has(Number(digits))) names.set(Number(digits), name);
    if (!numbers.has(name)) numbers.set(name, Number(digits));
  }
  return { names, numbers };
}
