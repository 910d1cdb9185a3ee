import { messageOf } from '@cleat/protocol/errors';
import { isRecord } from '@cleat/protocol/json';
import type { AuthorizationRequest } from '@cleat/protocol/kinds/authz';
import { readable } from '@cleat/protocol/untrusted';
import { RE2JS } from 're2js';
import { actionOf } from '../authz/actions.js';
import { targetOf } from '../authz/target.js';
import { brokerRoutes } from './broker-routes.js';
import type { Decision } from './decide.js';

/** One line of the policy file of the seed-era broker (twistlock/authz, `authz/basic.go`). */
export interface BrokerPolicy {
  readonly name: string;
  /** Exact names; '' is a request without a user, and not everybody, whatever its README says. */
  readonly users: readonly string[];
  /** Regular expressions in Go's syntax, found anywhere in an action's name. */
  readonly actions: readonly (RE2JS | undefined)[];
  readonly readonly: boolean;
}

/**
 * Reads the broker's policy file, one JSON object a line, and judges as the broker does: the first policy that has the
 * user decides. A line that is not understood is passed over, as the broker passes over it.
 * @param warn told of such lines, and of users whom a later policy names again
 */
export function brokerOf(text: string, warn: (why: string) => void): (message: AuthorizationRequest) => Decision {
  const policies = text.split('\n').flatMap((line, i) => policyIn(line, (why) => warn(`line ${i + 1}: ${why}`)) ?? []);
  const seen = new Map<string, string>();
  for (const { name, users } of policies) {
    for (const user of users) {
      const first = seen.get(user);
      if (first !== undefined)
        warn(`the user ${JSON.stringify(user)} of ${name} is decided by ${first}, which comes first`);
      else seen.set(user, name);
    }
  }
  return (message) => judged(policies, message);
}

function policyIn(line: string, warn: (why: string) => void): BrokerPolicy | undefined {
  if (line.trim() === '') return undefined;
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    warn(messageOf(error));
    return undefined;
  }
  if (!isRecord(value)) {
    warn('it is no JSON object');
    return undefined;
  }
  // Go takes keys in any case.
  const member = (name: string): unknown => Object.entries(value).findLast(([key]) => key.toLowerCase() === name)?.[1];
  const [name = '', users = [], actions = [], readonly = false] = ['name', 'users', 'actions', 'readonly'].map(
    (key) => member(key) ?? undefined,
  );
  if (typeof name !== 'string' || !isTexts(users) || !isTexts(actions) || typeof readonly !== 'boolean') {
    warn('users and actions are lists of texts, name is a text, and readonly is true or false');
    return undefined;
  }
  return { name, users, actions: actions.map((action) => expression(action, warn)), readonly };
}

const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string');

function expression(text: string, warn: (why: string) => void): RE2JS | undefined {
  try {
    return RE2JS.compile(text);
  } catch (error) {
    warn(`the action ${JSON.stringify(text)} fits nothing: ${messageOf(error)}`);
    return undefined;
  }
}

function judged(policies: readonly BrokerPolicy[], message: AuthorizationRequest): Decision {
  const { User: user = '', RequestMethod: method = '', RequestUri: uri = '' } = message;
  const verdict = (allow: boolean, rule: string | undefined, reason: string): Decision => ({
    allow,
    rule,
    reason,
    steps: [],
  });
  let action: string;
  try {
    action = brokerAction(method, targetOf(uri).path);
  } catch (error) {
    return verdict(false, undefined, messageOf(error));
  }
  const policy = policies.find(({ users }) => users.includes(user));
  const asked = `action '${action}'`;
  const whom = `user '${readable(user, 200)}'`;
  if (!policy)
    return verdict(false, undefined, `no policy applied (${whom.replace(' ', ': ')} ${asked.replace(' ', ': ')})`);
  if (!policy.actions.some((one) => one?.matcher(action).find())) {
    return verdict(false, policy.name, `${asked} denied for ${whom} by policy '${policy.name}'`);
  }
  if (policy.readonly && method !== 'GET') {
    return verdict(false, policy.name, `${asked} not allowed for ${whom} by readonly policy '${policy.name}'`);
  }
  return verdict(true, policy.name, `${asked} allowed for ${whom} by policy '${policy.name}'`);
}

const routes = brokerRoutes.map((line) => {
  const [method = '', pattern = '', action = ''] = line.split(' ');
  return { method, action, whole: new RegExp(`^${pattern}$`, 's'), anywhere: new RegExp(pattern, 's') };
});

/**
 * The broker looks for a pattern anywhere in the path, so that an exec in a container called `build` was a build. Here
 * a request that is a route of the engine's is what fits it whole; '' for what the broker does not know.
 */
export function brokerAction(method: string, path: string): string {
  const own = routes.filter((route) => route.method === method);
  const whole = own.find((route) => route.whole.test(path));
  if (whole !== undefined || actionOf(method, path) !== undefined) return whole?.action ?? '';
  return own.find((route) => route.anywhere.test(path))?.action ?? '';
}
