import { Readable } from 'node:stream';
import { invalidParameter, messageOf, systemError } from '@cleat/protocol/errors';
import { owned } from '@cleat/protocol/guard';
import type { Answer } from '../http/answer.js';
import type { Exchange } from '../http/exchange.js';
import type { RouteShape } from '../http/target.js';
import { endToEnd, outgoing } from './answer.js';
import type { UpstreamConnection } from './connection.js';
import type { Identity } from './identity.js';
import type { Upstream, UpstreamAnswer, UpstreamRequest } from './upstream.js';

/** Hooks and authorizers are shown answers of so many bytes at most. A longer answer is refused. */
const maxJudged = 16 * 1024 * 1024;
/** Bytes of any other whole answer; the longest listings are far shorter. */
const maxWhole = 64 * 1024 * 1024;

/** A route as the engine has it, before it was made one that streams: what its answer is, and whether it has a body. */
export type EngineRoute = Pick<RouteShape, 'hijacks' | 'streams' | 'body'>;

/** Hands requests on to the upstream as they were judged, and its answers back. */
export class Forwarder {
  readonly #upstream: Upstream;
  readonly #identity: Identity;

  constructor(upstream: Upstream, identity: Identity) {
    this.#upstream = upstream;
    this.#identity = identity;
  }

  async forward(x: Exchange, route: EngineRoute): Promise<void> {
    const upgrade = x.canHijack ? protocolOf(x, route) : undefined;
    const answer = await this.#upstream.send(await requestOf(x, route, upgrade));
    if (answer.status === 101) return await this.#join(x, answer, upgrade === 'h2c');
    const headers = this.#identity.adapt(endToEnd(answer.headers));
    // An error is a whole answer whatever the route streams.
    const type = headers.find(([name]) => name.toLowerCase() === 'content-type')?.[1] ?? '';
    const isError = answer.status >= 400 && (x.outgoing.isWatched || x.isAnswerLed);
    const isWhole = !isStream(route) || x.canHijack || isError || (x.outgoing.isWatched && x.isCollected(type));
    if (isWhole) await sendWhole(x, answer, headers);
    else if (x.isAnswerLed) await sendLed(x, answer, headers);
    else await sendStream(x, answer, headers);
  }

  async #join(x: Exchange, answer: UpstreamAnswer, dropsBody: boolean): Promise<void> {
    const upstream = answer.takeOver();
    try {
      const headers = outgoing(this.#identity.adapt(answer.headers));
      const client = await x.hijackAs({ status: 101, headers, body: undefined }, dropsBody);
      const forget = client.onClose(() => upstream.destroy());
      feed(client.input, upstream).catch((error: unknown) => {
        x.log.debug('input of an upgraded connection was not taken', { error: messageOf(error) });
        upstream.destroy();
      });
      try {
        for (let data = await upstream.nextRaw(); data; data = await upstream.nextRaw()) {
          if (!(await client.write(data))) break;
        }
      } finally {
        forget();
        client.end();
      }
    } finally {
      // Nobody reads any longer, where the engine has ended its side.
      if (upstream.socket.readableEnded) upstream.socket.end();
      else upstream.destroy();
    }
  }
}

const isStream = ({ streams, hijacks }: EngineRoute): boolean =>
  hijacks !== undefined || streams === 'down' || streams === 'both';

function protocolOf(x: Exchange, { hijacks }: EngineRoute): string {
  if (hijacks === 'h2c') return 'h2c';
  return x.headers.upgrade?.toLowerCase() === 'websocket' ? 'websocket' : 'tcp';
}

async function feed(input: AsyncIterable<Buffer>, upstream: UpstreamConnection): Promise<void> {
  for await (const data of input) if (!(await upstream.write(data))) return;
  upstream.socket.end();
}

/** The request as hooks and authorizers have seen it: in one spelling, each header once, its body encoded again. */
async function requestOf(x: Exchange, route: EngineRoute, upgrade: string | undefined): Promise<UpstreamRequest> {
  const target = x.uri;
  checkPath(target);
  // A body that the API declares is decoded in any case, and encoded again: two parsers might read it in two ways.
  if (route.body && !route.body.orOther) await x.declaredBody();
  const judged = await x.judgedBody();
  const body = judged ? judged.json : rawBody(x, route);
  const type = judged ? 'application/json' : plainType(x.headers['content-type']);
  const headers = onceEach(endToEnd(x.rawHeaders.flatMap((name, i, all) => (i % 2 ? [] : [[name, all[i + 1] ?? '']]))));
  return {
    method: x.method,
    target,
    headers: [...headers, ...(body !== undefined && type !== undefined ? [['Content-Type', type] as const] : [])],
    body,
    upgrade,
    isOld: x.isOldClient,
    signal: x.signal,
  };
}

/** An engine would clean such a path, and serve another page than the one that was judged. */
function checkPath(target: string): void {
  const [path = ''] = target.split('?');
  if (/\/(\.{1,2})?(\/|$)/.test(path.replace(/%2e/gi, '.')) && path !== '/') {
    throw invalidParameter('malformed URL: a path has no empty parts, and no . and ..');
  }
}

/** A body that no check has read. A route that takes none gets none: nobody has looked at what would be in it. */
function rawBody(x: Exchange, { streams, body, hijacks }: EngineRoute): UpstreamRequest['body'] {
  const takesBody = streams === 'up' || streams === 'both' || (body !== undefined && (body.orOther || x.takesBody));
  const length = x.headers['content-length'];
  const isThere = x.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
  if (!takesBody || !isThere || (hijacks && !x.takesBody)) return undefined;
  const untouched = x.untouchedBody;
  if (untouched) return { relay: (target) => untouched.relay(target) };
  return { stream: x.body(), length: length === undefined || x.isBodyLed ? undefined : Number(length) };
}

/**
 * An engine reads a form's members as if they stood in the query, and before those. Nobody has judged them; so a body is
 * never called a form.
 */
function plainType(type: string | undefined): string | undefined {
  return type !== undefined && /form-urlencoded/i.test(type) ? 'application/octet-stream' : type;
}

/** Read by engines as a list: the services of a client, each on a line of its own. */
const list = 'x-docker-expose-session-grpc-method';
/** Made anew, or for the proxy alone. */
const dropped = new Set(['host', 'content-length', 'content-type', 'expect']);

/** The engine's own parser takes the first of several, hooks and authorizers are told the last: there is one. */
function onceEach(pairs: readonly (readonly [name: string, value: string])[]): (readonly [string, string])[] {
  const last = new Map(pairs.map(([name], i) => [name.toLowerCase(), i]));
  return pairs.filter(([name], i) => {
    const key = name.toLowerCase();
    return !dropped.has(key) && (key === list || last.get(key) === i);
  });
}

async function sendWhole(
  x: Exchange,
  answer: UpstreamAnswer,
  pairs: readonly (readonly [name: string, value: string])[],
): Promise<void> {
  const limit = x.outgoing.isWatched ? maxJudged : maxWhole;
  const body = await answer.whole(limit);
  if (body === undefined) {
    throw systemError(`the answer is larger than ${limit} bytes: it cannot be judged whole, so it is refused`);
  }
  const isEmpty = x.method === 'HEAD' || answer.status === 204 || answer.status === 304;
  const others = pairs.filter(([name]) => !/^(date|content-length)$/i.test(name));
  const length = isEmpty ? pairs.find(([name]) => /^content-length$/i.test(name))?.[1] : String(body.length);
  const headers = outgoing([...others, ...(length === undefined ? [] : ([['Content-Length', length]] as const))]);
  x.outgoing.send(answer.status, headers, body.length > 0 ? body : undefined);
}

/** Its bytes go by the hooks that want them, so nobody knows how many there will be. */
async function sendLed(
  x: Exchange,
  answer: UpstreamAnswer,
  pairs: readonly (readonly [name: string, value: string])[],
): Promise<void> {
  const headers = outgoing(pairs.filter(([name]) => name.toLowerCase() !== 'content-length'));
  await x.pipeAs(
    { status: answer.status, headers, body: undefined },
    owned(Readable.from(answer.body(), { objectMode: false })),
  );
}

async function sendStream(
  x: Exchange,
  answer: UpstreamAnswer,
  pairs: readonly (readonly [name: string, value: string])[],
): Promise<void> {
  const headers = outgoing([...pairs, ...(answer.isChunked ? ([['Transfer-Encoding', 'chunked']] as const) : [])]);
  const head: Answer = { status: answer.status, headers, body: undefined };
  const response = await x.beginAs(head).catch((error: unknown) => {
    answer.abandon();
    throw error;
  });
  if (await answer.pump(response)) response.end();
}
