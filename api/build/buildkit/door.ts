import type { Builds } from '@cleat/engine/build/service';
import { notFound } from '@cleat/protocol/errors';
import type { Logger } from '@cleat/protocol/log';
import type { Exchange } from '../../http/exchange.js';
import type { Route } from '../../http/router.js';
import { Jobs } from './control/job.js';
import { type ControlServices, controlMethods } from './control/methods.js';
import { gatewayMethods } from './gateway/methods.js';
import { type Methods, serveGrpc } from './grpc/server.js';
import { Sessions } from './session/sessions.js';

export interface DoorServices {
  readonly builds: Builds;
  readonly log: Logger;
  readonly version: string;
}

const contentType = 'application/vnd.docker.raw-stream';

/** BuildKit's door: clients call for builds on `/grpc`, and are called for their files on `/session`. */
export function buildkitRoutes(given: DoorServices): Route[] {
  const services: ControlServices = { ...given, sessions: new Sessions(given.log), jobs: new Jobs() };
  const methods: Methods = new Map([...controlMethods(services), ...gatewayMethods(services)]);
  return [
    {
      method: 'POST',
      path: '/grpc',
      hijacks: 'h2c',
      async handler(x) {
        checkUpgrade(x);
        await serveGrpc(await x.hijackSocket(contentType, 'h2c'), methods, x.log);
      },
    },
    {
      method: 'POST',
      path: '/session',
      hijacks: 'h2c',
      async handler(x) {
        checkUpgrade(x);
        const facts = services.sessions.describe(x.headers);
        await services.sessions.serve(facts, await x.hijackSocket(contentType, 'h2c'));
      },
    },
  ];
}

/** @throws NotFound where the client asks for no HTTP/2 */
function checkUpgrade(x: Exchange): void {
  if (!x.canHijack) throw notFound('page not found');
}
