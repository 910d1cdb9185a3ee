import { type AuthorizationRequest, authzKind } from '@cleat/protocol/kinds/authz';
import { Finding, type Said } from '../../verify/finding.js';
import { complaintAbout } from '../../verify/readable-error.js';
import type { Trial } from '../../verify/trial.js';
import type { Manner } from '../../verify/wire.js';

export type AuthzTrial = Trial<typeof authzKind>;
export type Question = AuthorizationRequest;
type Method = 'AuthZReq' | 'AuthZRes';

/** A request as an engine shows it that came through its UNIX socket: nobody has a name there. */
export function question(RequestMethod: string, RequestUri: string, more: Question = {}): Question {
  return { RequestMethod, RequestUri, RequestHeaders: { 'User-Agent': 'Docker-Client/28.0 (linux)' }, ...more };
}

export const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** One with a body, which is shown when it says that it is JSON. */
export function questionWithBody(uri: string, body: string, more: Question = {}): Question {
  return question('POST', uri, {
    RequestBody: base64(body),
    RequestHeaders: { 'Content-Type': 'application/json' },
    ...more,
  });
}

export const creating = (body: object | string, uri = '/v1.41/containers/create?name=verify'): Question =>
  questionWithBody(uri, typeof body === 'string' ? body : JSON.stringify(body));

/** Requests that policies care about, and some that they should not mind. */
export const everyday: readonly Question[] = [
  question('GET', '/v1.41/containers/json?all=1'),
  question('GET', '/v1.41/info'),
  creating({ Image: 'busybox', Cmd: ['true'] }),
  question('POST', '/v1.41/containers/verify/start'),
  question('DELETE', '/v1.41/containers/verify?force=1'),
  question('POST', '/v1.41/images/create?fromImage=busybox&tag=latest'),
];

export const privileged: Question = creating({ Image: 'busybox', HostConfig: { Privileged: true } });

/** Requests that a careful policy may well deny. */
export const daring: readonly Question[] = [
  privileged,
  creating({ Image: 'busybox', HostConfig: { Binds: ['/:/host'], PidMode: 'host', NetworkMode: 'host' } }),
  question('POST', '/v1.41/swarm/init'),
  question('DELETE', '/v1.41/volumes/verify'),
  question('POST', '/v1.41/plugins/pull?remote=verify'),
];

/** A verdict. @throws Finding when the answer is an error, or in no shape that engines read */
export async function verdict(
  trial: AuthzTrial,
  asked: Question,
  expected = 'a verdict',
  method: Method = 'AuthZReq',
): Promise<{ allow: boolean; message: string; said: Said }> {
  const said = await trial.ask(method, asked);
  const { Allow, Msg = '' } = trial.read(method, said, `${expected}: Allow, true or false`);
  return { allow: Allow, message: Msg, said };
}

/** Anything that is an answer: a verdict, or an error in readable words, which engines take for a denial. */
export async function answered(
  trial: AuthzTrial,
  asked: Question,
  method: Method = 'AuthZReq',
  manner: Manner = {},
): Promise<Said> {
  const said = await trial.ask(method, asked, manner);
  if (trial.succeeded(method, said)) return said;
  const complaint = complaintAbout(authzKind, said);
  if (complaint !== undefined) throw new Finding('a verdict, or an error that a person understands', said, complaint);
  return said;
}
