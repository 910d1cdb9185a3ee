import { messageOf, unavailable } from '@cleat/protocol/errors';
import type { Extension } from './extension.js';
import { type Prerequisites, refuseCycles } from './order.js';

/** An extension among those that may depend on each other. */
export interface Member {
  readonly extension: Extension;
  /** Names by which others may need it: its entry, or its names and aliases. */
  readonly names: readonly string[];
  /** Capability names, and so what others may mean by a kind. */
  readonly kinds: readonly string[];
  readonly needs: readonly string[];
  readonly after: readonly string[];
}

/**
 * Finds the extensions that start after others, and stop before them. A member's needs are looked up when they matter:
 * another one may be added later, or exchanged meanwhile.
 */
export class Dependencies {
  readonly #members: () => readonly Member[];

  constructor(members: () => readonly Member[]) {
    this.#members = members;
  }

  /** As {@link Extensions.list} shows them: keys of those that are there, and what is not as it was named. */
  prerequisites({ needs, after, ...member }: Member): Prerequisites {
    const keys = (names: readonly string[]) => [
      ...new Set(
        names.flatMap((name) => {
          const found = this.#find(member.extension, name);
          return found.length > 0 ? found.map(({ extension }) => extension.key) : [name];
        }),
      ),
    ];
    return { needs: keys(needs), after: keys(after) };
  }

  /** @throws InvalidParameter when `next`, in the place of the one of its key, made extensions wait for each other */
  refuseCycles(next: Member): void {
    const others = this.#members().filter(({ extension }) => extension.key !== next.extension.key);
    const changed = new Dependencies(() => [...others, next]);
    refuseCycles(new Map([...others, next].map((one) => [one.extension.key, changed.prerequisites(one)])));
  }

  /**
   * Waits until all that `member` needs answers, and what it comes after has answered or failed to.
   * @throws Unavailable while something that it needs does not answer
   */
  async ready(member: Member, signal: AbortSignal | undefined): Promise<void> {
    for (const wanted of member.after) {
      for (const { extension } of this.#find(member.extension, wanted)) {
        await extension.activated({ signal }).catch(() => {
          // It has its own state and reason; this one does not need it.
        });
      }
    }
    for (const wanted of member.needs) {
      const found = this.#find(member.extension, wanted);
      if (found.length === 0) throw unavailable(`it needs the extension '${wanted}', which is not there`);
      for (const { extension } of found) {
        await extension.activated({ signal }).catch((cause: unknown) => {
          throw unavailable(`it needs the extension '${extension.key}': ${messageOf(cause)}`, { cause });
        });
      }
    }
  }

  /** Those that start after it in any way, and so stop before it. */
  laterThan(extension: Extension): Extension[] {
    return this.#members()
      .filter(({ needs, after, extension: later }) =>
        [...needs, ...after].some((name) => this.#find(later, name).some((one) => one.extension === extension)),
      )
      .map((one) => one.extension);
  }

  /** Those that cannot do without it: nothing else is what they need. */
  dependents(extension: Extension): Extension[] {
    return this.#members()
      .filter(({ needs, extension: dependent }) =>
        needs.some((name) => {
          const [one, ...others] = this.#find(dependent, name);
          return one?.extension === extension && others.length === 0;
        }),
      )
      .map((one) => one.extension);
  }

  /** The one of that name, or all others of that kind. */
  #find(asking: Extension, name: string): Member[] {
    const members = this.#members();
    const named = members.find(({ names }) => names.includes(name));
    if (named) return [named];
    return members.filter(({ kinds, extension }) => extension !== asking && kinds.includes(name));
  }
}
