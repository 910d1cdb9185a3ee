import type { Containers, WaitCondition } from '@cleat/engine/containers/service';
import { invalidParameter } from '@cleat/protocol/errors';
import type { Route } from '../http/router.js';

const conditions = ['not-running', 'next-exit', 'removed'] as const satisfies WaitCondition[];

export function waitRoutes(containers: Containers): Route[] {
  return [
    {
      method: 'POST',
      path: '/containers/:name/wait',
      streams: 'down',
      async handler(x) {
        const old = x.before('1.30');
        const asked = old ? '' : x.query.text('condition');
        const condition = asked === '' ? 'not-running' : conditions.find((known) => known === asked);
        if (!condition) throw invalidParameter(`invalid condition: ${JSON.stringify(asked)}`);
        const { result } = containers.wait(x.param('name'), condition, x.signal);
        // Heard below, unless the client has gone by then.
        result.catch(() => {});
        // A client starts the container only after it has seen these headers.
        if (!old) await x.begin(200, 'application/json');
        const { StatusCode, Error: failure } = await result;
        if (old) return x.send(200, { StatusCode });
        if (failure && condition === 'removed' && x.before('1.34')) {
          // An empty answer was the only way to report a failed removal.
        } else {
          await x.writeLine({ StatusCode, Error: failure });
        }
        x.end();
      },
    },
  ];
}
