import type { Account } from './account.js';

/** The surroundings that a kind's methods get. */
export interface Surroundings {
  readonly account: Account;
  /** A directory of the plugin's own. */
  readonly directory: string;
  /** An option that the world gave this plugin, for example the addresses that it may give away. */
  readonly option: string;
}

/** A well-behaved plugin of one kind. */
export interface ScriptedKind {
  /** As `Plugin.Activate` names it. */
  readonly capability: string;
  /** The JSON key of an error. */
  readonly errorKey: 'Err' | 'Error';
  /**
   * Methods that allocate something which only their answer names: an answer that nobody heard is taken back, as the
   * engine has no way to. An answer that is spoiled on purpose is not given, and nothing allocated.
   */
  readonly allocates?: Readonly<
    Record<string, (answer: Record<string, unknown>, request: Record<string, unknown>) => void>
  >;
  /** By the path without its slash. An exception that one throws becomes an error in the answer. */
  readonly methods: Readonly<Record<string, (request: Record<string, unknown>) => object>>;
}

/** A member that must be there. */
export function text(request: Record<string, unknown>, member: string): string {
  const value = request[member];
  if (typeof value !== 'string') throw new Error(`${member} is missing in ${JSON.stringify(request)}`);
  return value;
}
