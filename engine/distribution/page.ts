import { systemError } from '@cleat/protocol/errors';
import type { Answer } from './answer.js';
import { registryLimits } from './limits.js';
import { defaultReach, type Reach, redirectOf, sameHost, Transport, urlFrom } from './transport.js';

/** The tenth redirect is one too many, as for Go's client. */
const maxRedirects = 9;

/** A web server may be slower than a registry: it may make what it sends. In ms. */
const patienceMs = 60_000;
const pageReach: Reach = { ...defaultReach, limits: { ...registryLimits, answer: patienceMs, stall: patienceMs } };

/** The answer of a web server. Its body must be read before this is disposed of. */
export interface Page extends Disposable {
  readonly answer: Answer;
}

/**
 * Gets what a client named by its URL, the way registries are reached: through the proxies of the environment, and a
 * server that is not on this host leads to no address of this host.
 * @throws what {@link Transport.send} throws; System for redirects that do not end
 */
export async function openPage(text: string, signal: AbortSignal, reach = pageReach): Promise<Page> {
  const start = urlFrom(text);
  const authorization = authorizationOf(start);
  [start.username, start.password] = ['', ''];
  const transport = new Transport({ base: start, insecure: false, mirror: false }, reach);
  try {
    let url = start;
    for (let hop = 0; hop <= maxRedirects; hop++) {
      const headers = { 'accept-encoding': 'identity', ...(sameHost(url, start) && authorization) };
      const answer = await transport.send({ method: 'GET', url, headers, signal });
      const target = redirectOf(answer, url);
      if (!target) return { answer, [Symbol.dispose]: () => transport[Symbol.dispose]() };
      url = target;
    }
    throw systemError(`stopped after ${maxRedirects + 1} redirects`);
  } catch (error) {
    transport[Symbol.dispose]();
    throw error;
  }
}

function authorizationOf({ username, password }: URL): Record<string, string> {
  if (username === '' && password === '') return {};
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` };
}
