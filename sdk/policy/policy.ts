import { messageOf } from '@cleat/protocol/errors';
import { nearest } from '@cleat/protocol/nearest';
import { type Action, actionNames, actions } from '../authz/actions.js';
import { type Callers, callersOf, type GroupId } from './callers.js';
import { type Limits, limitsOf } from './limits.js';
import { pattern } from './patterns.js';
import { type PolicyTest, testOf } from './policy-test.js';
import { Reader } from './reader.js';

/** A policy file, read. */
export interface Policy {
  /** `dry-run`: everything is allowed, and what would be denied is reported. */
  readonly mode: 'enforce' | 'dry-run';
  /** The label that says whose an object is. */
  readonly ownerLabel: string;
  readonly rules: readonly Rule[];
  readonly tests: readonly PolicyTest[];
}

/** A rule that allows grants a request within its limits; a rule that denies refuses a request beyond them. */
export interface Rule {
  readonly name: string;
  readonly effect: 'allow' | 'deny';
  readonly callers: readonly Callers[];
  readonly actions: ReadonlySet<string>;
  /** Also requests that the API does not have. */
  readonly isForAll: boolean;
  /** `unlimited`: of one that allows, whatever is asked for; of one that denies, nothing passes. */
  readonly limits: Limits | 'unlimited';
}

export const defaultOwnerLabel = 'com.cleat.owner';

/**
 * @param value a policy file, parsed
 * @throws InvalidParameter that names the place in it, and what may be there
 */
export function policyOf(value: unknown, groupId: GroupId = () => undefined): Policy {
  const {
    mode,
    'owner-label': label,
    groups,
    rules,
    tests,
  } = new Reader(value, '').members(['mode', 'owner-label', 'groups', 'rules', 'tests']);
  const sets = new Map<string, readonly Callers[]>();
  const named = (reader: Reader): readonly Callers[] => {
    return reader.texts().flatMap((text) => {
      const group = /^group:(.+)$/.exec(text)?.[1];
      if (group === undefined) return [placed(reader, () => callersOf(text, groupId))];
      const set = sets.get(group);
      if (set === undefined) throw reader.fail(`there is no group ${JSON.stringify(group)} above it`);
      return set;
    });
  };
  for (const [name, members] of groups.isThere ? groups.entries() : []) sets.set(name, named(members));
  const read = rules.list().map((rule, i) => ruleOf(rule, i, named));
  const twice = read.find((rule, i) => read.findIndex(({ name }) => name === rule.name) < i);
  if (twice) throw rules.fail(`two rules are called ${JSON.stringify(twice.name)}`);
  return {
    mode: mode.isThere ? mode.oneOf('enforce', 'dry-run') : 'enforce',
    ownerLabel: label.isThere ? label.text() : defaultOwnerLabel,
    rules: read,
    tests: tests.isThere ? tests.list().map(testOf) : [],
  };
}

function ruleOf(reader: Reader, index: number, named: (reader: Reader) => readonly Callers[]): Rule {
  const { name, callers, allow, within, deny, unless } = reader.members([
    'name',
    'callers',
    'allow',
    'within',
    'deny',
    'unless',
  ]);
  if (allow.isThere === deny.isThere) throw reader.fail('a rule has either allow or deny, with actions');
  const effect = allow.isThere ? 'allow' : 'deny';
  const [what, limits, other] = allow.isThere ? [allow, within, unless] : [deny, unless, within];
  if (other.isThere) throw other.fail('allow goes with within, and deny with unless');
  const words = what.texts();
  return {
    name: name.isThere ? name.text() : `rule ${index + 1}`,
    effect,
    callers: callers.isThere || effect === 'allow' ? named(callers) : named(new Reader('any', '')),
    actions: new Set(words.flatMap((word) => actionsOf(word, what))),
    isForAll: words.includes('*'),
    limits: limitsFor(limits, effect),
  };
}

function limitsFor(reader: Reader, effect: Rule['effect']): Limits | 'unlimited' {
  if (effect === 'deny') return reader.isThere ? limitsOf(reader, false) : 'unlimited';
  if (reader.value === 'unlimited') return 'unlimited';
  return limitsOf(reader.isThere ? reader : new Reader({}, ''), true);
}

/** `container:start`, `container:*`, `*`, or `@look`, `@content`, `@change` by what an action does. */
function actionsOf(word: string, reader: Reader): string[] {
  const [, effect] = /^@(look|content|change)$/.exec(word) ?? [];
  const fits = (action: Action) => (effect ? action.effect === effect : pattern(word).matches(action.name, ''));
  const found = actions.filter(fits).map(({ name }) => name);
  if (found.length > 0) return found;
  const near = nearest(word, actionNames);
  throw reader.fail(
    `there is no action ${JSON.stringify(word)}${near === undefined ? '' : ` (did you mean ${near}?)`}`,
  );
}

function placed<T>(reader: Reader, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw reader.fail(messageOf(error));
  }
}
