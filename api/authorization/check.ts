import type { Authorization } from '@cleat/engine/authorization/service';
import { stringify } from '@cleat/protocol/json';
import type { Answer } from '../http/answer.js';
import type { Exchange } from '../http/exchange.js';
import { flatHeaders, requestHeaders } from '../http/flat-headers.js';
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
  const body = secret || !exchange.takesBody ? undefined : await exchange.declaredBody();
  const judge = await authorization.authorize({
    ...exchange.peer,
    method: exchange.method,
    uri,
    headers: requestHeaders(exchange),
    body: body === undefined ? undefined : stringify(body),
  });
  return async ({ status, headers, body: answered }) => {
    const flat = flatHeaders(headers);
    const isJson = /^application\/json\s*(;|$)/i.test(flat['Content-Type'] ?? '');
    await judge({ status, headers: flat, body: isJson && !secret ? answered : undefined });
  };
}

/** A password goes in and a token comes out: as under Docker, no plugin sees either. */
const login = /^(\/v[\d.]+)?\/auth(\?|$)/;
