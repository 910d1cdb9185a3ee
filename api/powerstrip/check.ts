import type { AdapterRun, Hooks, Passed } from '@cleat/engine/hooks/service';
import { invalidParameter } from '@cleat/protocol/errors';
import type { PowerstripAnswer, PowerstripRequest } from '@cleat/protocol/powerstrip';
import type { Answer } from '../http/answer.js';
import type { Exchange } from '../http/exchange.js';
import { FinalAnswer } from '../http/final-answer.js';
import type { Router } from '../http/router.js';
import type { RequestCheck } from '../http/server.js';
import { canonicalPath, parseTarget } from '../http/target.js';
import { maxApiVersion } from '../http/version.js';

/**
 * Puts requests to Powerstrip's adapters before anybody else looks at them: what they make of a request is what hooks
 * change, authorizers judge, and the engine does. They see the answer last of those who change it.
 */
export function powerstripCheck({ adapters }: Hooks, router: Router): RequestCheck {
  return (exchange) => {
    if (adapters.isEmpty) return undefined;
    // In one spelling, with a version: no other spelling of a request leads past an adapter.
    const path = `/v${exchange.version}${canonicalPath(exchange.match)}`;
    const { id, route, params, method, peer } = exchange;
    const run = adapters.begin({ id, route, params, method, path, caller: peer.caller });
    if (!run) return undefined;
    exchange.adapters = run;
    exchange.onEnd((status) => exchange.hooked ?? run.end(status));
    return adapt(run, exchange, router);
  };
}

/** Characters of an adapter's error that the audit journal keeps. */
const longestReason = 1024;

async function adapt(run: AdapterRun, exchange: Exchange, router: Router): Promise<undefined> {
  const Body = sendsBody(exchange) && isJson(exchange.headers['content-type']) ? await exchange.text() : null;
  const client: PowerstripRequest = { Method: exchange.method, Request: exchange.uri, Body };
  // The README: pre-hooks for bodies of other types are skipped.
  if (run.hasPre && (Body !== null || !sendsBody(exchange))) {
    const adapted = passed(await run.request(client, exchange.signal));
    if (adapted.Body !== client.Body) replaceBody(exchange, adapted.Body);
    if (adapted.Method !== client.Method || adapted.Request !== client.Request) reroute(exchange, adapted, router);
  }
  if (!run.hasPost) return undefined;
  exchange.collect((type) => isWhole(type, exchange));
  exchange.outgoing.addChange((given) => changed(run, client, exchange, given));
  return undefined;
}

/** @throws FinalAnswer with an adapter's error */
function passed<T>(result: Passed<T>): T {
  if ('passed' in result) return result.passed;
  const { status, contentType, body } = result.refusal;
  const type = contentType === undefined ? {} : { 'Content-Type': contentType };
  const reason = `${status} ${body.subarray(0, longestReason).toString().trim()}`.trim();
  throw new FinalAnswer(
    { status, headers: { ...type, 'Content-Length': body.length }, body },
    { by: result.by, reason, denied: status < 500 },
  );
}

function sendsBody({ headers }: Exchange): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

const isJson = (type = ''): boolean => /^application\/json\s*(;|$)/i.test(type);

function replaceBody(exchange: Exchange, body: string | null): void {
  exchange.replaceText(body ?? '');
  if (body !== null && !isJson(exchange.headers['content-type'])) {
    exchange.change({ headers: new Map([['Content-Type', 'application/json']]) });
  }
}

/** @throws InvalidParameter for a target that is none, and where the body or the connection does not fit the new route */
function reroute(exchange: Exchange, { Method, Request }: PowerstripRequest, router: Router): void {
  const target = parseTarget(Request);
  const match = target && router.match(Method, target.path);
  if (!match)
    throw invalidParameter(`an adapter made a request of it that the API does not have: ${Method} ${Request}`);
  const { streams, hijacks } = exchange.route;
  const isUp = (ways: typeof streams) => ways === 'up' || ways === 'both';
  const fits = isUp(match.route.streams) === isUp(streams) && (match.route.hijacks ?? false) === (hijacks ?? false);
  if (!fits) throw invalidParameter(`an adapter made ${Method} ${Request} of a request whose data flow another way`);
  exchange.reroute({ method: Method, target, match, version: target.version ?? maxApiVersion });
}

/** Raw bytes of a process, which no adapter gets to see. */
const isRaw = (type: string): boolean => /^application\/vnd\.docker\.(raw|multiplexed)-stream/i.test(type);

/** They have no end, or a client waits for their head before it goes on. */
const flowing = ['/events', '/containers/:name/stats', '/containers/:name/wait'];

/** Other texts are buffered. */
function isWhole(type: string, { route }: Exchange): boolean {
  return !flowing.includes(route.path) && /^(text\/|application\/(json|jsonl|x-ndjson|json-seq)\b)/i.test(type);
}

async function changed(run: AdapterRun, client: PowerstripRequest, exchange: Exchange, given: Answer): Promise<Answer> {
  const type = given.headers['Content-Type'] ?? given.headers['content-type'];
  const ContentType = type === undefined ? null : String(type);
  if (ContentType !== null && isRaw(ContentType)) return given;
  const before: PowerstripAnswer = {
    ContentType,
    Body: given.isHead ? null : (given.body?.toString() ?? ''),
    Code: given.status,
  };
  return rebuilt(given, before, passed(await run.answer(client, before, exchange.signal)));
}

function rebuilt(given: Answer, before: PowerstripAnswer, after: PowerstripAnswer): Answer {
  const lower = (name: string) => !['content-type', 'content-length'].includes(name.toLowerCase());
  const others = Object.fromEntries(Object.entries(given.headers).filter(([name]) => lower(name)));
  const isBodiless = after.Code === 204 || after.Code === 304;
  const type = after.ContentType === null || isBodiless ? {} : { 'Content-Type': after.ContentType };
  // A stream goes on as it is.
  if (given.isHead) return { ...given, status: after.Code, headers: { ...others, ...type } };
  const body = after.Body === before.Body ? (given.body ?? Buffer.alloc(0)) : Buffer.from(after.Body ?? '');
  if (isBodiless) return { status: after.Code, headers: others, body: undefined };
  return { status: after.Code, headers: { ...others, ...type, 'Content-Length': body.length }, body };
}
