import { isDeepStrictEqual } from 'node:util';
import { isWithin, type MemberPath } from '@cleat/protocol/member-path';
import { elementKey, valueAt, withoutValue, withValue } from './members.js';

/**
 * The owners of a message's fields. Each field that a hook sets, or removes, is its own from then on: another hook
 * that wants something else there, or around it, or within it, is in conflict with it, whichever comes first. The same
 * value twice is no conflict. (The model is containerd's NRI: `pkg/api/owners.go`, `pkg/adaptation/result.go`.)
 */
export interface Claim {
  readonly hook: string;
  /** An element of a list is named by what it is about, since places shift. */
  readonly path: MemberPath;
  /** Undefined: it is removed. */
  readonly value: unknown;
}

/** A change that a hook wants to make to one field of a message. */
export interface Wish extends Claim {
  /** The place of the new value: the field itself, or the list that it is an element of. */
  readonly place: MemberPath;
  readonly next: unknown;
}

export type Settled =
  | { readonly kind: 'done'; readonly message: unknown }
  /** Another hook's value stands, as the file says. */
  | { readonly kind: 'yielded'; readonly to: string }
  | { readonly kind: 'conflict'; readonly with: Claim };

export class Owners {
  #claims: readonly Claim[] = [];
  readonly #wins: (hook: string) => readonly MemberPath[];

  /** @param wins of a hook, as the file says */
  constructor(wins: (hook: string) => readonly MemberPath[]) {
    this.#wins = wins;
  }

  /** Makes the change in a copy of the message, if its field is nobody else's. @throws InvalidParameter for its path */
  settle(message: unknown, wish: Wish): Settled {
    const { hook, path, value, place, next } = wish;
    const differs = !isDeepStrictEqual(valueAt(message, place), next);
    const rivals = differs ? this.#rivals(wish) : [];
    const winners = rivals.filter((rival) => this.#wins(rival.hook).some((won) => isWithin(rival.path, won)));
    const iWin = this.#wins(hook).some((won) => isWithin(path, won));
    const above = winners.find((winner) => isWithin(path, winner.path));
    if (above) return { kind: 'yielded', to: above.hook };
    const lasting = rivals.find((rival) => !winners.includes(rival));
    if (lasting && !iWin) return { kind: 'conflict', with: lasting };
    let changed = withNext(message, place, next);
    // A field within the new value stays as its winner set it.
    for (const winner of winners) changed = restored(changed, winner);
    if (iWin) this.#forget(rivals.filter((rival) => !winners.includes(rival) && isWithin(rival.path, path)));
    this.#claims = [...this.#claims, { hook, path, value }];
    return { kind: 'done', message: changed };
  }

  /** Has the fields owned as they are now: to be called when what a hook did since then does not count. */
  checkpoint(): () => void {
    const claims = this.#claims;
    return () => {
      this.#claims = claims;
    };
  }

  #rivals({ hook, path }: Claim): Claim[] {
    return this.#claims.filter(
      (claim) => claim.hook !== hook && (isWithin(path, claim.path) || isWithin(claim.path, path)),
    );
  }

  #forget(claims: readonly Claim[]): void {
    this.#claims = this.#claims.filter((claim) => !claims.includes(claim));
  }
}

function withNext(message: unknown, place: MemberPath, next: unknown): unknown {
  return next === undefined ? withoutValue(message, place) : withValue(message, place, next);
}

function restored(message: unknown, { path, value }: Claim): unknown {
  const list = valueAt(message, path.slice(0, -1));
  if (!Array.isArray(list)) return withNext(message, path, value);
  const others = list.filter((element) => elementKey(element) !== path.at(-1));
  return withValue(message, path.slice(0, -1), value === undefined ? others : [...others, value]);
}
