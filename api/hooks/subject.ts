import type { HookSubject } from '@cleat/engine/hooks/service';
import { isClass } from '@cleat/protocol/errors';
import type { Exchange } from '../http/exchange.js';
import { requestHeaders } from '../http/flat-headers.js';
import type { ApiServices } from '../services.js';
import { isSecretRoute } from './exempt.js';
import { queryValues } from './query.js';

/** A request as hooks see it. */
export function subjectOf(exchange: Exchange, services: ApiServices): HookSubject {
  const { id, route, params, version, peer, query, signal } = exchange;
  const isSecret = isSecretRoute(route.path);
  return {
    id,
    route,
    params,
    version,
    caller: peer.caller,
    query: queryValues(query),
    headers: requestHeaders(exchange),
    signal,
    adapters: exchange.adapters,
    takesBody: exchange.takesBody && !isSecret,
    body: async () => (isSecret ? undefined : await exchange.declaredBody()),
    labels: () => labelsOf(route.path, params, services),
  };
}

/** Labels of the object that a path names, as the engine knows them itself; none where there is no such object. */
export async function labelsOf(
  path: string,
  params: Readonly<Record<string, string>>,
  { containers, volumes, networks, images, execs }: ApiServices,
): Promise<Readonly<Record<string, string>>> {
  const [, room, parameter = ''] = /^\/(containers|exec|volumes|networks|images)\/:(\w+)/.exec(path) ?? [];
  const name = params[parameter];
  if (room === undefined || name === undefined) return {};
  const of: Record<string, () => Promise<Readonly<Record<string, string>> | null | undefined>> = {
    containers: async () => (await containers.inspect(name)).Config?.Labels,
    exec: async () => (await containers.inspect((await execs.inspect(name)).ContainerID)).Config?.Labels,
    volumes: async () => (await volumes.inspect(name)).Labels,
    networks: async () => (await networks.inspect(name)).Labels,
    images: async () => (await images.inspect(name)).Config?.Labels,
  };
  try {
    return (await of[room]?.()) ?? {};
  } catch (error) {
    // The handler says so.
    if (isClass(error, 'NotFound')) return {};
    throw error;
  }
}
