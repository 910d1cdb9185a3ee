import { callerText } from '@cleat/protocol/caller';
import { forbidden, messageOf } from '@cleat/protocol/errors';
import type { AuthorizationRequest } from '@cleat/protocol/kinds/authz';
import { readable } from '@cleat/protocol/untrusted';
import { type Asked, askedOf } from '../authz/asked.js';
import { ownerOf } from '../authz/caller.js';
import type { FoundObject, Objects } from '../authz/objects.js';
import { type Circumstances, objection } from './grant.js';
import type { Policy, Rule } from './policy.js';

/** The answer of a policy to a request. */
export interface Decision {
  readonly allow: boolean;
  /** The rule that decided; undefined: none did, and what nobody allows is denied. */
  readonly rule: string | undefined;
  readonly reason: string;
  /** Each rule that was looked at, and why it did not decide. */
  readonly steps: readonly Step[];
}

export interface Step {
  readonly rule: string;
  readonly effect: Rule['effect'];
  /** `decides`; `passes`: of one that denies; `elsewhere`: another caller or action; `refuses`: its limits do not hold it. */
  readonly outcome: 'decides' | 'passes' | 'elsewhere' | 'refuses';
  readonly reason: string;
}

/** More than a request of a person has; each is a question to the engine. */
const maxLookUps = 64;

/**
 * A request is allowed when no rule that denies meets it, and one that allows grants all of it. The order of the rules
 * says which one is named, and nothing else.
 */
export async function decide(
  policy: Policy,
  message: AuthorizationRequest,
  around: Pick<Circumstances, 'objects' | 'isPlainPath'>,
): Promise<Decision> {
  const steps: Step[] = [];
  try {
    return await decided(policy, message, { ...around, objects: once(around.objects) }, steps);
  } catch (error) {
    return { allow: false, rule: undefined, reason: messageOf(error), steps };
  }
}

async function decided(
  policy: Policy,
  message: AuthorizationRequest,
  around: Pick<Circumstances, 'objects' | 'isPlainPath'>,
  steps: Step[],
): Promise<Decision> {
  const asked = askedOf(message);
  const { caller } = asked;
  const now: Circumstances = { ...around, ownerLabel: policy.ownerLabel, owner: ownerOf(caller), user: nameOf(asked) };
  const note = (rule: Rule, outcome: Step['outcome'], reason: string) =>
    void steps.push({ rule: rule.name, effect: rule.effect, outcome, reason });
  const done = (rule: Rule, reason: string): Decision => {
    note(rule, 'decides', reason);
    return { allow: rule.effect === 'allow', rule: rule.name, reason, steps };
  };
  let nearest: { rule: Rule; reason: string } | undefined;
  // Those that deny come first: each of them counts.
  for (const rule of policy.rules.toSorted((a, b) => Number(a.effect === 'allow') - Number(b.effect === 'allow'))) {
    const elsewhere = await whyElsewhere(rule, asked, now.objects);
    if (elsewhere !== undefined) {
      note(rule, 'elsewhere', elsewhere);
      continue;
    }
    const reason = rule.limits === 'unlimited' ? undefined : await reasonAgainst(rule.limits, asked, now);
    if (rule.effect === 'deny') {
      if (rule.limits === 'unlimited' || reason !== undefined) return done(rule, reason ?? `${what(asked)} is denied`);
      note(rule, 'passes', 'what it denies is not asked for');
    } else if (reason === undefined) {
      if (rule.limits !== 'unlimited' && asked.action === undefined) continue;
      return done(rule, `${what(asked)} is allowed`);
    } else {
      note(rule, 'refuses', reason);
      nearest ??= { rule, reason };
    }
  }
  if (nearest) return { allow: false, rule: nearest.rule.name, reason: nearest.reason, steps };
  return { allow: false, rule: undefined, reason: `no rule allows ${what(asked)} to ${callerText(caller)}`, steps };
}

/** @returns undefined when the rule is about this request; also when that cannot be found out and it denies */
async function whyElsewhere(rule: Rule, { action, caller }: Asked, objects: Objects): Promise<string | undefined> {
  if (action === undefined ? !rule.isForAll : !rule.actions.has(action.name)) return 'it is about other actions';
  try {
    for (const callers of rule.callers) {
      const includes = callers.include(caller, objects);
      if (includes instanceof Promise ? await includes : includes) return undefined;
    }
  } catch (error) {
    return rule.effect === 'deny' ? undefined : `who it is about cannot be found out: ${messageOf(error)}`;
  }
  return 'it is about other callers';
}

/** Why limits do not hold what is asked for; also when that cannot be found out. */
async function reasonAgainst(
  limits: Exclude<Rule['limits'], 'unlimited'>,
  asked: Asked,
  now: Circumstances,
): Promise<string | undefined> {
  try {
    for (const demand of asked.demands) {
      const reason = await objection(limits, demand, now);
      if (reason !== undefined) return readable(reason, 1_000);
    }
    return undefined;
  } catch (error) {
    return readable(messageOf(error), 1_000);
  }
}

function what({ action, method, path }: Asked): string {
  return action?.name ?? `${method} ${readable(path, 200)}`;
}

/** The caller's own name, without what says where it counts. */
function nameOf({ caller }: Asked): string {
  return caller.Container?.Name ?? caller.Plugin?.Name ?? caller.User;
}

/** One object is asked for once while a request is judged, so that every rule sees the same. */
function once(objects: Objects): Objects {
  const known = new Map<string, Promise<FoundObject | undefined>>();
  return {
    find(type, name) {
      const key = `${type}/${name}`;
      let found = known.get(key);
      if (found === undefined) {
        if (known.size >= maxLookUps) throw forbidden(`the request names more than ${maxLookUps} objects`);
        found = objects.find(type, name);
        known.set(key, found);
      }
      return found;
    },
  };
}
