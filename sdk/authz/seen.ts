import type { Action } from './actions.js';
import type { Query } from './target.js';

/** Everything that demands are read from. */
export interface Seen {
  readonly method: string;
  readonly action: Action;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Query;
  readonly version: string | undefined;
  /** '' where the engine shows none. */
  readonly body: string;
  /** The engine shows what it understood, and not what the client wrote. */
  readonly isNormalised: boolean;
}
