import { appendFileSync, existsSync, readFileSync } from 'node:fs';

/**
 * Everything that the engine asked for and did not give back. The plugin itself keeps it on disk: a killed plugin still
 * knows it. This detects best the calls that were lost, or made twice.
 */
export class Account {
  readonly #path: string;
  readonly #open = new Map<string, { note: string; at: number }>();
  readonly #problems: Problem[] = [];

  constructor(path: string) {
    this.#path = path;
    if (!existsSync(path)) return;
    // A last line that was cut short is not JSON: what it would have said was never answered.
    for (const line of readFileSync(path, 'utf8').split('\n')) {
      try {
        this.#enter(JSON.parse(line) as Entry);
      } catch {}
    }
  }

  /** Everything that is open: `mount v1 4711…`, by its key; the value is the plugin's own. */
  get open(): string[] {
    return [...this.#open.keys()].sort();
  }

  /** Things that no engine may do and this one did, as sentences. */
  get problems(): Problem[] {
    return [...this.#problems];
  }

  has(key: string): boolean {
    return this.#open.has(key);
  }

  /** The plugin's note of an open key. */
  note(key: string): string | undefined {
    return this.#open.get(key)?.note;
  }

  keys(prefix: string): string[] {
    return this.open.filter((key) => key.startsWith(prefix));
  }

  begin(key: string, note = ''): void {
    this.#write({ begin: key, note, at: Date.now() });
  }

  /** Closes an entry; does nothing if it is not open, as repeated calls are allowed. */
  end(key: string): void {
    if (this.#open.has(key)) this.#write({ end: key });
  }

  /** @param about the open key that it concerns */
  problem(text: string, about = ''): void {
    this.#write({ problem: { text, since: this.#open.get(about)?.at ?? 0 } });
  }

  #write(entry: Entry): void {
    // Before it is answered, and in one write: so the account is never behind what the engine was told.
    appendFileSync(this.#path, `${JSON.stringify(entry)}\n`);
    this.#enter(entry);
  }

  #enter(entry: Entry): void {
    if ('begin' in entry) this.#open.set(entry.begin, { note: entry.note, at: entry.at });
    else if ('end' in entry) this.#open.delete(entry.end);
    else this.#problems.push(entry.problem);
  }
}

export interface Problem {
  readonly text: string;
  /** Since when what it concerns was open, in ms. */
  readonly since: number;
}

type Entry = { begin: string; note: string; at: number } | { end: string } | { problem: Problem };
