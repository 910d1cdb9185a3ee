import type { HookSubject } from '@cleat/engine/hooks/service';
import { Caller } from '@cleat/protocol/caller';
import { asCleatError, errorStatus, invalidParameter, messageOf } from '@cleat/protocol/errors';
import { stringify } from '@cleat/protocol/json';
import Type, { type Static } from '@cleat/protocol/schema';
import { decodeBody, isExpected, jsonBody } from '../http/body.js';
import type { Exchange } from '../http/exchange.js';
import { requestHeaders } from '../http/flat-headers.js';
import { Query } from '../http/query.js';
import { createRouter, type Route } from '../http/router.js';
import { refuseSelectors } from '../http/selectors.js';
import { canonicalPath, parseTarget } from '../http/target.js';
import { checkVersion, maxApiVersion } from '../http/version.js';
import type { ApiServices } from '../services.js';
import { isSecretRoute } from './exempt.js';
import { queryOf, queryValues } from './query.js';
import { labelsOf } from './subject.js';

/** A request that is put to the hooks, and not done. */
const Recorded = Type.Object({
  Method: Type.String(),
  /** With query and, if there is one, the prefix of its version. */
  URL: Type.String(),
  Headers: Type.Optional(Type.Record(Type.String(), Type.String())),
  Body: Type.Optional(Type.Unknown()),
  /** Absent: who asks for the test. */
  Caller: Type.Optional(Caller),
});
const recordedBody = jsonBody(Recorded);

/** Our own, beside Docker's API: the pages behind `cleat hooks`. No hook is asked about them. */
export function hookRoutes(services: ApiServices, routes: () => readonly Route[]): Route[] {
  const { hooks } = services;
  return [
    { method: 'GET', path: '/cleat/hooks', handler: (x) => x.send(200, hooks?.list() ?? []) },
    {
      method: 'GET',
      path: '/cleat/hooks/traces',
      handler: (x) => x.send(200, hooks?.traces(traceQuery(x.query)) ?? []),
    },
    {
      method: 'POST',
      path: '/cleat/hooks/test',
      body: recordedBody,
      async handler(x) {
        const recorded = await x.json(recordedBody);
        if (!recorded) throw invalidParameter('the request to be tested is missing');
        x.send(200, await test(x, recorded, services, routes()));
      },
    },
  ];
}

function traceQuery(query: Query) {
  const number = (name: string): number | undefined => {
    const value = query.integer(name);
    if (value !== undefined && value < 0) throw invalidParameter(`${name} is not negative`);
    return value;
  };
  const text = (name: string): string | undefined => query.text(name) || undefined;
  return { after: number('after'), tail: number('tail'), id: text('id'), route: text('route'), caller: text('caller') };
}

/** @throws InvalidParameter for a request that the API does not have */
async function test(x: Exchange, recorded: Static<typeof Recorded>, services: ApiServices, routes: readonly Route[]) {
  const target = parseTarget(recorded.URL);
  const method = recorded.Method.toUpperCase();
  const match = target && createRouter(routes).match(method, target.path);
  if (!target || !match) throw invalidParameter(`the API has no ${method} ${recorded.URL}`);
  const { route, params } = match;
  const version = target.version ?? maxApiVersion;
  checkVersion(version);
  const query = new Query(target.query);
  const body = decoded(route, recorded.Body, version);
  const subject: HookSubject = {
    id: x.id,
    route,
    params,
    version,
    caller: recorded.Caller ?? x.peer.caller,
    query: queryValues(query),
    headers: requestHeaders({ rawHeaders: Object.entries(recorded.Headers ?? {}).flat() }),
    signal: x.signal,
    dryRun: true,
    takesBody: route.body !== undefined && isExpected(route.body, version) && !isSecretRoute(route.path),
    body: async () => (isSecretRoute(route.path) ? undefined : body),
    labels: () => labelsOf(route.path, params, services),
  };
  const { error, result, ...outcome } = (await services.hooks?.test(subject)) ?? { Decision: 'passed', Steps: [] };
  const path = `${target.version === undefined ? '' : `/v${target.version}`}${canonicalPath(match)}`;
  const final = result ? queryOf(result.query, query) : query;
  const refusal = error ?? complaint(() => refuseSelectors(final, route));
  return {
    Method: method,
    URL: `${path}${final.toString() && `?${final}`}`,
    ...outcome,
    ...(result?.answer && { Answer: result.answer }),
    ...(refusal !== undefined && {
      Refusal: { Status: errorStatus[asCleatError(refusal).class], Message: messageOf(refusal) },
    }),
  };
}

function decoded({ body }: Route, value: unknown, version: string): unknown {
  if (value === undefined || value === null || !body || !isExpected(body, version)) return undefined;
  return decodeBody(body, stringify(value), 'application/json');
}

function complaint(work: () => void): unknown {
  try {
    work();
    return undefined;
  } catch (error) {
    return error;
  }
}
