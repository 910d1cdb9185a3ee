import { messageOf } from '@cleat/protocol/errors';
import type { Logger } from '@cleat/protocol/log';
import { type Api, serveApi } from '../index.js';
import type { ApiServices } from '../services.js';
import type { UpstreamAddress } from './dial.js';
import { Forwarder } from './forward.js';
import { Identity } from './identity.js';
import { proxyRoutes, refuseUnknown } from './routes.js';
import { upstreamRooms } from './services.js';
import { Upstream } from './upstream.js';

export type { UpstreamAddress, UpstreamTls } from './dial.js';

export interface ProxyApiOptions {
  readonly upstream: UpstreamAddress;
  readonly services: Pick<ApiServices, 'audit' | 'authorization' | 'callers' | 'hooks'>;
  readonly log: Logger;
  readonly version: string;
  /** Whether pages that this API does not have are handed on; asked for each. */
  readonly passesUnknown: () => boolean;
  readonly allowedOrigins?: readonly string[];
}

export interface ProxyApi extends Api {
  /** Asks the upstream how it is. @returns why it cannot be used; undefined: it can */
  look(signal: AbortSignal): Promise<string | undefined>;
  /** Asks the upstream for JSON. @returns undefined for any answer but 200 @throws Unavailable */
  ask(target: string, signal: AbortSignal): Promise<unknown>;
}

const maxAnswer = 64 * 1024 * 1024;

/**
 * The same front, router and checks as the engine's own API, in front of another engine: what hooks made of a request, and
 * authorizers allowed, is handed on, and nothing else.
 */
export function openProxyApi(options: ProxyApiOptions): ProxyApi {
  const upstream = new Upstream(options.upstream);
  const identity = new Identity();
  const services: ApiServices = { ...upstreamRooms(upstream), ...options.services };
  const api = serveApi({
    ...options,
    services,
    routes: proxyRoutes({ services, forwarder: new Forwarder(upstream, identity), version: options.version }),
    identity: () => identity.headers,
    // The upstream says which versions are too old.
    minApiVersion: '1.0',
    first: [refuseUnknown(options.passesUnknown)],
  });
  return {
    ...api,
    async look(signal) {
      try {
        const answer = await upstream.send({ method: 'HEAD', target: '/_ping', headers: [], signal });
        identity.adapt(answer.headers);
        await answer.whole(0);
        return answer.status === 200 ? undefined : `${upstream.text} answers ${answer.status}`;
      } catch (error) {
        return messageOf(error);
      }
    },
    ask: (target, signal) => upstream.json(target, signal, maxAnswer),
    async close(graceMs) {
      await api.close(graceMs);
      upstream.close();
    },
  };
}
