import { readFileSync } from 'node:fs';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { invalidParameter, messageOf, notFound } from '@cleat/protocol/errors';
import { runTests } from '@cleat/sdk/policy';
import { plain } from '../columns.js';
import { engineOptions, engineOptionsHelp } from '../engine/options.js';
import { type FileOptions, openPolicy } from './file.js';
import { requestOf } from './request.js';
import { explained } from './text.js';

export const authzHelp = `
  cleat authz explain METHOD PATH [BODY]   what a policy says to a request, which rule decides, and why
  cleat authz check FILE                   whether a policy file is right, and passes the tests that it has in itself
  cleat authz actions                      what the API's routes are called in policies

PATH is that of the API, with its query: '/containers/create?name=web'. BODY is a file, or - for stdin. In place of
METHOD, PATH and BODY there may be one file: a request as JSON, with the members that authorizers are told, or with
Method, URI, Body and Caller, as an audit journal has them.
      --policy FILE     The policy; default /etc/docker/authz-policy.yaml
      --form FORM       What it is: policy, tecnativa, linuxserver (variables of a socket proxy), broker; default policy
      --as CALLER       Who asks: user:alice, unix:alice, container:web, plugin:p, none (default)
      --json            The decision as JSON
${engineOptionsHelp}
Without -H no engine is asked whose an object is. explain ends with 0: allowed, 1: denied, 2: it depends on an object that
only an engine knows, or the file is wrong. check ends with 0: the file is right, 1: a test fails, 2: the file is wrong.
`;

export const authzOptions = {
  ...engineOptions,
  policy: { type: 'string' },
  form: { type: 'string' },
  as: { type: 'string' },
  json: { type: 'boolean' },
} as const satisfies ParseArgsConfig['options'];

/** `cleat authz`. @throws InvalidParameter, NotFound */
export async function authzCommand(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options: authzOptions });
  const [verb, ...rest] = positionals;
  switch (verb) {
    case 'explain':
      return await explain(rest, values);
    case 'check':
      return await check(rest, values);
    case 'actions':
      return await listActions();
    default:
      throw invalidParameter(`use: cleat authz explain, check or actions\n${authzHelp}`);
  }
}

type Values = FileOptions & { readonly as?: string | undefined; readonly json?: boolean | undefined };

async function explain(words: string[], values: Values): Promise<number> {
  const message = requestOf(words, values.as, readInput);
  const policy = openPolicyOrComplain(values);
  if (policy === undefined) return 2;
  const decision = await policy.judge.judge(message);
  const isOpen = policy.unanswered.length > 0;
  const facts = { ...decision, isDryRun: policy.judge.isDryRun, unanswered: policy.unanswered };
  process.stdout.write(values.json ? `${JSON.stringify(facts, null, 2)}\n` : explained(facts));
  if (isOpen && !decision.allow) return 2;
  return decision.allow ? 0 : 1;
}

async function check([file, ...more]: string[], values: Values): Promise<number> {
  if (file === undefined || more.length > 0) throw invalidParameter('use: cleat authz check FILE');
  const policy = openPolicyOrComplain({ ...values, policy: file });
  if (policy === undefined) return 2;
  for (const warning of policy.judge.warnings) process.stderr.write(`${file}: ${plain(warning)}\n`);
  const results = policy.judge.policy ? await runTests(policy.judge.policy) : [];
  const failures = results.filter(({ failure }) => failure !== undefined);
  if (values.json) {
    process.stdout.write(`${JSON.stringify({ file, tests: results, warnings: policy.judge.warnings }, null, 2)}\n`);
  } else {
    for (const { name, failure } of failures) process.stdout.write(`not ok  ${plain(name)}: ${plain(failure ?? '')}\n`);
    const rules = policy.judge.policy ? `${policy.judge.policy.rules.length} rules, ` : '';
    process.stdout.write(`${file}: ${rules}${results.length} tests, ${failures.length} failed\n`);
  }
  return failures.length > 0 ? 1 : 0;
}

async function listActions(): Promise<number> {
  const { actions } = await import('@cleat/sdk/authz');
  for (const { name, effect, method, path } of actions) {
    process.stdout.write(
      `${name.padEnd(28)} ${effect.padEnd(8)} ${method.padEnd(7)} ${path.replace(/:(\w+)/g, '{$1}')}\n`,
    );
  }
  return 0;
}

function openPolicyOrComplain(values: Values): ReturnType<typeof openPolicy> | undefined {
  try {
    return openPolicy(values);
  } catch (error) {
    process.stderr.write(`cleat authz: ${plain(messageOf(error))}\n`);
    return undefined;
  }
}

/** @throws NotFound */
function readInput(path: string): string {
  try {
    return readFileSync(path === '-' ? 0 : path, 'utf8');
  } catch (cause) {
    throw notFound(`cannot read ${path}: ${messageOf(cause)}`, { cause });
  }
}
