import type { Kind } from '@cleat/protocol/kinds/kind';
import type { Said } from './finding.js';
import type { Session } from './session.js';
import { Trial } from './trial.js';

/** Permissions that a case needs. */
export type Need =
  /** To make things at the plugin, and remove them. Everything but looking needs it. */
  | 'changes'
  /** To kill the plugin and start it again. */
  | 'restart'
  /** That paths which the plugin answers are paths of this host. */
  | 'filesystem'
  /** That interfaces which the plugin answers are interfaces of this host. */
  | 'host';

/** `must`: users of an engine are hurt. `should`: they get less than they might, or only where engines do not go. */
export type Weight = 'must' | 'should';

/** The facts about a case before it runs. */
export interface CaseFacts {
  /** Unique, and stays the same over versions, for `--only` and `--skip`: `volume/create-twice`. */
  readonly id: string;
  /** A sentence that is true of a good plugin: `Create of a volume that exists succeeds`. */
  readonly title: string;
  /** The harm to users otherwise: what engines really do, and who has been bitten. */
  readonly why: string;
  /** Default `must`. */
  readonly weight?: Weight;
  readonly needs?: readonly Need[];
}

export interface CaseOf<K extends Kind> extends CaseFacts {
  /**
   * @throws Finding what the plugin did wrong; Inapplicable where the case does not concern it. Anything else that is
   * thrown is a fault of the case.
   */
  run(trial: Trial<K>): Promise<void>;
}

/** A case of any kind. */
export interface Case extends CaseFacts {
  readonly kind: Kind;
  /** Never throws. */
  run(session: Session): Promise<Tried>;
}

/** The outcome of a case. */
export interface Tried {
  readonly calls: readonly Said[];
  readonly leftBehind: readonly string[];
  /** The error that ended it; undefined when it passed. */
  readonly thrown: unknown;
}

/** Gives the cases of a kind their types where they are written. */
export function cases<K extends Kind>(kind: K, ...list: CaseOf<K>[]): Case[] {
  return list.map(({ run, ...facts }) => ({
    ...facts,
    kind,
    async run(session) {
      const trial = new Trial(kind, session, facts.id);
      const thrown = await trial.during(() => run(trial));
      return { calls: trial.calls, leftBehind: trial.leftBehind, thrown };
    },
  }));
}
