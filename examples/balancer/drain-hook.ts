import { hookKind } from '@cleat/protocol/kinds/hook';
import { type Implementation, implement } from '@cleat/sdk';
import type { Service } from './service.js';

/** Requests that make a container end. */
const routes = ['/containers/*/stop', '/containers/*/restart', '/containers/*/kill'];

/** Less than the time that an engine gives a hook, unless it is told otherwise. */
const waitMs = 4_000;

/**
 * A request hook of Cleat's: what makes a container end waits until the container is out of service and has finished
 * what is under way, `docker rm -f` as well. Without it the balancer hears of `docker kill` when it has been done.
 */
export function drainHook(service: Service): Implementation {
  return implement(hookKind, {
    Capabilities: () => ({
      Protocol: 1,
      Match: [
        { Methods: ['POST'], Routes: routes },
        { Methods: ['DELETE'], Routes: ['/containers/*'] },
      ],
      Request: 'head',
      Response: 'head',
    }),
    async Request({ Method, Route, Params, Query, DryRun }) {
      const [reference = ''] = Object.values(Params);
      const isForced = Method !== 'DELETE' || /^(1|t|true)$/i.test(String(Query.force ?? ''));
      const signal = Route.endsWith('/kill') ? String(Query.signal ?? 'SIGKILL') : 'SIGTERM';
      if (!DryRun && isForced && service.ends(reference, signal)) await service.drain(reference, waitMs);
      return {};
    },
    /** An authorizer may have refused it, or the engine. */
    Response({ Params, Status }) {
      const [reference = ''] = Object.values(Params);
      if (Status >= 400) service.stays(reference);
      return {};
    },
  });
}
