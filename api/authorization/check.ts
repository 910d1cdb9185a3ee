import type { OutgoingHttpHeaders } from 'node:http';
import type { Authorization } from '@cleat/engine/authorization/service';
import { stringify } from '@cleat/protocol/json';
import type { Answer } from '../http/answer.js';
import type { Exchange } from '../http/exchange.js';
import type { ApiRequest } from '../http/messages.js';
import type { RequestCheck } from '../http/server.js';

/**
 * Puts every request to the authorization plugins before its handler runs, and its answer before the client sees it.
 * They see exactly what the handler gets: the decoded body, encoded again, and the target in one spelling. Costs
 * nothing while none is configured.
 */
export function authorizationCheck(authorization: Authorization): RequestCheck {
  return (exchange) => (authorization.required ? ask(authorization, exchange) : undefined);
}

async function ask(authorization: Authorization, exchange: Exchange): Promise<(answer: Answer) => Promise<void>> {
  const { uri } = exchange;
  const secret = login.test(uri);
  const body = secret ? undefined : await exchange.declaredBody();
  const judge = await authorization.authorize({
    ...exchange.peer,
    method: exchange.method,
    uri,
    headers: requestHeaders(exchange.request),
    body: body === undefined ? undefined : stringify(body),
  });
  return async ({ status, headers, body: answered }) => {
    const flat = answerHeaders(headers);
    const isJson = /^application\/json\s*(;|$)/i.test(flat['Content-Type'] ?? '');
    await judge({ status, headers: flat, body: isJson && !secret ? answered : undefined });
  };
}

/** A password goes in and a token comes out: as under Docker, no plugin sees either. */
const login = /^(\/v[\d.]+)?\/auth(\?|$)/;

/**
 * Headers that plugins need not know to judge (moby `daemon/pkg/authorization`, headers), and what Go keeps elsewhere.
 */
const hidden = new Set(['authorization', 'x-registry-auth', 'x-registry-config', 'host', 'transfer-encoding']);

/** One value each, the last, under Go's spelling of the name. */
function requestHeaders({ rawHeaders }: ApiRequest): Record<string, string> {
  const headers = new Map<string, string>();
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? '';
    if (!hidden.has(name.toLowerCase())) headers.set(goName(name), rawHeaders[i + 1] ?? '');
  }
  return Object.fromEntries(headers);
}

function answerHeaders(headers: OutgoingHttpHeaders): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]): [string, string][] =>
      value === undefined ? [] : [[goName(name), Array.isArray(value) ? (value.at(-1) ?? '') : String(value)]],
    ),
  );
}

/** `content-type` → `Content-Type` (Go's CanonicalMIMEHeaderKey). */
function goName(name: string): string {
  return name.toLowerCase().replace(/(^|-)[a-z]/g, (start) => start.toUpperCase());
}
