import { readFile } from 'node:fs/promises';
import { messageOf } from '@cleat/protocol/errors';
import { decode, parseJson } from '@cleat/protocol/json';
import Type, { type Static } from '@cleat/protocol/schema';
import { unavailable } from '@cleat/sdk';

const Policy = Type.Object({
  /** The label that says whose a container is; default `team`. */
  label: Type.Optional(Type.String()),
  /** Each team's users, by the common names of their certificates. */
  teams: Type.Record(Type.String(), Type.Array(Type.String())),
  /** Users who may do everything. */
  admins: Type.Optional(Type.Array(Type.String())),
  /** Rights of a user without a name, on the UNIX socket; default `look`. */
  unnamed: Type.Optional(Type.Union([Type.Literal('look'), Type.Literal('admin')])),
});

/** The user who asks, as the policy knows them. */
export interface Caller {
  /** For messages. */
  readonly name: string;
  readonly isAdmin: boolean;
  readonly teams: readonly string[];
}

export interface PolicyNow {
  readonly label: string;
  /** undefined: the policy does not name them. */
  callerOf(user: string | undefined): Caller | undefined;
}

/** Reads the file, each time anew: what was saved counts from then on. @throws Unavailable */
export async function readPolicy(path: string): Promise<PolicyNow> {
  let policy: Static<typeof Policy>;
  try {
    policy = decode(Policy, parseJson(await readFile(path, 'utf8')), 'policy');
  } catch (cause) {
    throw unavailable(`the policy ${path} cannot be read, so that nothing is allowed: ${messageOf(cause)}`, { cause });
  }
  const { label = 'team', teams, admins = [], unnamed = 'look' } = policy;
  return {
    label,
    callerOf(user) {
      if (!user) return { name: 'somebody without a name', isAdmin: unnamed === 'admin', teams: [] };
      const theirs = Object.keys(teams).filter((team) => teams[team]?.includes(user));
      const isAdmin = admins.includes(user);
      return isAdmin || theirs.length > 0 ? { name: user, isAdmin, teams: theirs } : undefined;
    },
  };
}
