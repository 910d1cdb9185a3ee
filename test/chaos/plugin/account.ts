import { appendFileSync, existsSync, readFileSync } from 'node:fs';

/**
 * What the engine has asked for and not given back, kept by the plugin itself, on disk: a plugin that was killed still
 * knows it. It is the best detector of calls that were lost, or made twice.
 */
export class Account {
  readonly #path: string;
  readonly #open = new Map<string, string>();
  readonly #problems: string[] = [];

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

  /** What no engine may do, as sentences. */
  get problems(): string[] {
    return [...this.#problems];
  }

  has(key: string): boolean {
    return this.#open.has(key);
  }

  /** The plugin's note of an open key. */
  note(key: string): string | undefined {
    return this.#open.get(key);
  }

  keys(prefix: string): string[] {
    return this.open.filter((key) => key.startsWith(prefix));
  }

  begin(key: string, note = ''): void {
    this.#write({ begin: key, note });
  }

  /** Of something that is not open: nothing, as repeated calls are allowed. */
  end(key: string): void {
    if (this.#open.has(key)) this.#write({ end: key });
  }

  problem(text: string): void {
    this.#write({ problem: text });
  }

  #write(entry: Entry): void {
    // Before it is answered, and in one write: so the account is never behind what the engine was told.
    appendFileSync(this.#path, `${JSON.stringify(entry)}\n`);
    this.#enter(entry);
  }

  #enter(entry: Entry): void {
    if ('begin' in entry) this.#open.set(entry.begin, entry.note);
    else if ('end' in entry) this.#open.delete(entry.end);
    else this.#problems.push(entry.problem);
  }
}

type Entry = { begin: string; note: string } | { end: string } | { problem: string };
