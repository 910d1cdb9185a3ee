import { isRecord } from '@cleat/protocol/json';
import {
  type HookCapabilities,
  type HookChanges,
  type HookMatch,
  type HookRequest,
  type HookResponse,
  type hookKind,
  sights,
} from '@cleat/protocol/kinds/hook';
import { parseMemberPath } from '@cleat/protocol/member-path';
import { Finding, type Said } from '../../verify/finding.js';
import { Inapplicable, type Trial } from '../../verify/trial.js';

export type HookTrial = Trial<typeof hookKind>;

const common = (Method: string, Route: string, Params: Record<string, string> = {}) => ({
  ID: 'verify000001',
  Method,
  Route,
  Params,
  Version: '1.51',
  Caller: { Method: 'unix', User: 'root', Within: 'host', Process: { PID: 1, UID: 0, GID: 0, Groups: [] } },
});

/** A request as the engine shows it. */
export function asked(
  method: string,
  route: string,
  { params, ...more }: Partial<HookRequest> & { params?: Record<string, string> } = {},
): HookRequest {
  return {
    ...common(method, route, params),
    Query: {},
    Headers: { 'User-Agent': 'Docker-Client/28.0 (linux)' },
    ...more,
  };
}

export const creating = (Body: object): HookRequest =>
  asked('POST', '/containers/create', {
    Query: { name: 'verify' },
    Headers: { 'Content-Type': 'application/json' },
    Body,
  });

/** Requests that hooks care about, and some that they should not mind. */
export const everyday: readonly HookRequest[] = [
  creating({ Image: 'busybox', Cmd: ['true'] }),
  creating({ Image: 'busybox', Labels: { team: 'a' }, Env: ['A=1'], HostConfig: { Memory: 1, Binds: ['/:/host'] } }),
  asked('GET', '/containers/json', { Query: { all: '1', filters: { label: ['team=a'] } } }),
  asked('POST', '/images/create', { Query: { fromImage: 'busybox', tag: 'latest' } }),
  asked('POST', '/containers/*/start', { params: { name: 'verify' } }),
  asked('DELETE', '/containers/*', { params: { name: 'verify' }, Query: { force: '1', v: ['1', '1'] } }),
  asked('POST', '/build', { Query: { t: 'verify' }, Headers: { 'Content-Type': 'application/x-tar' } }),
  asked('GET', '/_ping'),
];

export function answered(Status: number, Body?: unknown): HookResponse {
  return {
    ...common('POST', '/containers/create'),
    Status,
    Headers: { 'Content-Type': 'application/json' },
    ...(Body !== undefined && { Body }),
  };
}

/** @throws Finding when the answer is an error, or says something that the protocol does not have */
export async function wishes(trial: HookTrial): Promise<HookCapabilities> {
  const said = await trial.ask('Capabilities', {});
  const given = trial.read('Capabilities', said, 'its capabilities');
  const { Protocol = 1, Match = [], Request = 'none', Response = 'none' } = given;
  trial.holds(Protocol === 1, 'Protocol 1, or none', said, `Protocol ${Protocol}`);
  for (const seen of [Request, Response]) {
    const isKnown = sights.some((sight) => sight === seen);
    trial.holds(isKnown, `Request and Response are ${sights.join(', ')}`, said, seen);
  }
  for (const route of Match.flatMap(({ Routes = [] }) => Routes)) {
    const isRoute = route.startsWith('/') && !/^\/v[\d.]+\//.test(route) && !/[:?#]|\*\*(?!$)/.test(route);
    trial.holds(isRoute, 'routes such as /containers/*/json, without a version', said, route);
  }
  return given;
}

/** Requests that the hook wants to see: no engine asks about others. @throws Inapplicable when there are none */
export async function questions(trial: HookTrial): Promise<readonly [HookRequest, ...HookRequest[]]> {
  const { Match, Request = 'none' } = await wishes(trial);
  const own = (Match ?? []).flatMap(({ Methods = ['POST'], Routes = ['/containers/create'] }) =>
    Routes.flatMap((route) => Methods.map((method) => asked(method, route.replace('**', '*'), { Body: {} }))),
  );
  const all = [...everyday, ...own].filter((request) => !Match || Match.some((match) => fits(match, request)));
  const [first, ...more] = all;
  if (Request === 'none' || first === undefined) throw new Inapplicable('it does not want to see requests');
  return [first, ...more];
}

/** @throws Inapplicable for a hook that does not want to see answers */
export async function seesAnswers(trial: HookTrial): Promise<void> {
  const { Response = 'none' } = await wishes(trial);
  if (Response === 'none') throw new Inapplicable('it does not want to see answers');
}

/** Labels and callers may be whatever the hook wants. */
function fits({ Methods, Routes }: HookMatch, { Method, Route }: HookRequest): boolean {
  if (Methods && !Methods.includes(Method)) return false;
  return !Routes || Routes.some((pattern) => fitsPattern(pattern.split('/'), Route.split('/')));
}

function fitsPattern(wanted: readonly string[], parts: readonly string[]): boolean {
  const isOpen = wanted.at(-1) === '**';
  const named = isOpen ? wanted.slice(0, -1) : wanted;
  if (isOpen ? parts.length < named.length : parts.length !== named.length) return false;
  return named.every((part, at) => part === '*' || part === parts[at]);
}

const denials = [400, 401, 403, 404, 409, 500, 501, 503];
const framing = /^(connection|content-length|transfer-encoding|upgrade|host|origin|te|trailer|expect|keep-alive)$/i;

/** The hook's answer to a request. @throws Finding for an answer that engines cannot follow */
export async function made(trial: HookTrial, request: HookRequest): Promise<string> {
  const said = await trial.ask('Request', request);
  const { Deny, Answer, ...changes } = trial.read('Request', said, 'an answer; {} lets the request pass');
  followable(trial, said, changes, ['Query', 'Headers', 'Body']);
  if (Deny) {
    const { Status = 403, Message } = Deny;
    trial.holds(denials.includes(Status), `a denial with status ${denials.join(', ')}`, said, `status ${Status}`);
    trial.holds(Message.trim() !== '', 'a denial that says why', said, 'a denial without a Message');
  }
  if (Answer) {
    const { Status, Headers = {} } = Answer;
    trial.holds(Status >= 200 && Status <= 599, 'an answer with a status of 200 to 599', said, `status ${Status}`);
    for (const name of Object.keys(Headers)) refuseFraming(trial, said, name);
  }
  return said.text;
}

/** The hook is asked about an answer. @throws Finding for changes that engines cannot follow */
export async function madeOfAnswer(trial: HookTrial, answer: HookResponse): Promise<void> {
  const said = await trial.ask('Response', answer);
  const roots = ['Status', 'Headers', ...(answer.Body === undefined ? [] : ['Body'])];
  followable(trial, said, trial.read('Response', said, 'an answer; {} lets the answer pass'), roots);
}

function followable(trial: HookTrial, said: Said, changes: HookChanges, roots: readonly string[]): void {
  const { Set: set = [], Add: add = [], Remove: remove = [] } = changes;
  for (const { Path, Value } of [...set, ...add]) {
    trial.holds(Value !== undefined, `a Value for ${Path}`, said, 'a change without a Value');
    checkPath(trial, said, Path, roots);
  }
  for (const path of remove) checkPath(trial, said, path, roots);
}

function checkPath(trial: HookTrial, said: Said, text: string, roots: readonly string[]): void {
  let path: readonly (string | number)[];
  try {
    path = parseMemberPath(text);
  } catch {
    throw new Finding('paths such as Body.HostConfig.Memory, or Body.Labels["a.b"]', said, text);
  }
  trial.holds(roots.includes(String(path[0])), `paths that begin with ${roots.join(', ')}`, said, text);
  if (path[0] === 'Headers') refuseFraming(trial, said, String(path[1]));
}

function refuseFraming(trial: HookTrial, said: Said, name: string): void {
  trial.holds(!framing.test(name), 'no headers that say where a message ends, or for whom it is', said, name);
}

/** The same answer, whatever the order of its members. */
export function sameAs(text: string): string {
  return JSON.stringify(JSON.parse(text || '{}'), (_key, value: unknown) =>
    isRecord(value) ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) : value,
  );
}
