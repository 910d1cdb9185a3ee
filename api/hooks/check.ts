import type { HookAnswer, HookedAnswer, HookRun, Hooks } from '@cleat/engine/hooks/service';
import { systemError } from '@cleat/protocol/errors';
import { parseJson, stringify } from '@cleat/protocol/json';
import type { Answer } from '../http/answer.js';
import type { Exchange } from '../http/exchange.js';
import { flatHeaders } from '../http/flat-headers.js';
import type { RequestCheck } from '../http/server.js';
import type { ApiServices } from '../services.js';
import { isOwnRoute, isSecretRoute } from './exempt.js';
import { queryOf } from './query.js';
import { subjectOf } from './subject.js';

/** Hooks are sent answers of so many bytes at most, as authorization plugins are. A longer answer is refused. */
const maxAnswerBytes = 16 * 1024 * 1024;

/**
 * Puts requests to the hooks of the operator's file, before authorization plugins judge them and the handler runs: both
 * get what the hooks made of it. Answers go the other way. A route that no hook wants to see costs a look into a table.
 */
export function hooksCheck(hooks: Hooks, services: ApiServices): RequestCheck {
  return (exchange) => {
    if (!hooks.concerns(exchange.route) || isOwnRoute(exchange.route.path)) return undefined;
    return runHooks(hooks.begin(subjectOf(exchange, services)), exchange);
  };
}

async function runHooks(run: HookRun, exchange: Exchange): Promise<undefined> {
  exchange.hooked = run;
  exchange.onEnd((status) => run.end(status));
  const { isQueryChanged, query, headers, isBodyChanged, body, answer } = await run.request();
  exchange.change({
    headers,
    ...(isQueryChanged && { query: queryOf(query, exchange.query) }),
    ...(isBodyChanged && { body: { value: body } }),
  });
  if (answer) exchange.answerInstead(answerOf(answer));
  if (run.response !== 'none') exchange.outgoing.addChange((given) => changed(run, exchange, given));
  exchange.setFlows({ up: run.requestFlow, down: run.responseFlow });
  // A stream is seen in the traces while it lasts.
  const { streams, hijacks } = exchange.route;
  if (streams !== undefined || hijacks !== undefined) run.end(0);
  return undefined;
}

async function changed(run: HookRun, exchange: Exchange, given: Answer): Promise<Answer> {
  const headers = flatHeaders(given.headers);
  const isJson = /^application\/json\s*(;|$)/i.test(headers['Content-Type'] ?? '');
  const isSeen = isJson && run.response !== 'head' && exchange.method !== 'HEAD' && !isSecretRoute(exchange.route.path);
  if (isSeen && given.body && given.body.length > maxAnswerBytes) {
    throw systemError(`the answer is too large for request hooks: its size exceeds ${maxAnswerBytes} bytes`);
  }
  const body = isSeen && given.body ? parseJson(given.body.toString()) : undefined;
  const before: HookedAnswer = { status: given.status, headers, body };
  const after = await run.answer(before);
  return rebuilt(exchange, given, before, after);
}

function rebuilt(exchange: Exchange, given: Answer, before: HookedAnswer, after: HookedAnswer): Answer {
  const headers = { ...given.headers };
  const forget = (name: string): void => {
    exchange.response.removeHeader(name);
    for (const key of Object.keys(headers)) if (key.toLowerCase() === name.toLowerCase()) delete headers[key];
  };
  for (const name of new Set([...Object.keys(before.headers), ...Object.keys(after.headers)])) {
    const value = after.headers[name];
    if (value === before.headers[name]) continue;
    forget(name);
    if (value !== undefined) headers[name] = value;
  }
  let { body } = given;
  if (after.body !== before.body) body = Buffer.from(`${stringify(after.body ?? null)}\n`);
  if (after.status === 204 || after.status === 304) {
    for (const name of ['Content-Type', 'Content-Length']) forget(name);
    body = undefined;
  } else if (body !== given.body) {
    forget('Content-Length');
    headers['Content-Length'] = body?.length ?? 0;
  }
  return { status: after.status, headers, body };
}

/** A hook's own answer. A text of another type is sent as it is. */
function answerOf({ Status, Headers = {}, Body }: HookAnswer): Answer {
  if (Body === undefined) {
    return {
      status: Status,
      headers: { ...Headers, ...(Status === 204 || Status === 304 ? {} : { 'Content-Length': 0 }) },
      body: undefined,
    };
  }
  const type = Headers['Content-Type'] ?? 'application/json';
  const isText = typeof Body === 'string' && !/^application\/json\s*(;|$)/i.test(type);
  const body = Buffer.from(isText ? Body : `${stringify(Body)}\n`);
  return { status: Status, headers: { ...Headers, 'Content-Type': type, 'Content-Length': body.length }, body };
}
