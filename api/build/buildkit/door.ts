import type { Builds } from '@cleat/engine/build/service';
import type { Images } from '@cleat/engine/images/service';
import { notFound } from '@cleat/protocol/errors';
import { type Methods, serveGrpc } from '@cleat/protocol/grpc/server';
import type { Logger } from '@cleat/protocol/log';
import type { Exchange } from '../../http/exchange.js';
import { Jobs } from './control/job.js';
import { type ControlServices, controlMethods } from './control/methods.js';
import { gatewayMethods } from './gateway/methods.js';
import { buildForOldClient } from './old-clients.js';
import { relayCalls, relaySession } from './relay/relay.js';
import { Sessions } from './session/sessions.js';
import { Uploads } from './uploads.js';

export interface DoorServices {
  readonly images: Pick<Images, 'push'>;
  readonly builds: Builds;
  readonly log: Logger;
  readonly version: string;
}

export interface BuildKitDoors {
  /** `POST /grpc`: a client calls for builds. */
  grpc(x: Exchange): Promise<void>;
  /** `POST /session`: it is called for its files. */
  session(x: Exchange): Promise<void>;
  /** `POST /build` in the words of BuildKit. */
  build(x: Exchange): Promise<void>;
  /** Ends such a build, if there is one of that ID. */
  cancel(id: string): void;
}

const contentType = 'application/vnd.docker.raw-stream';

/** BuildKit's doors: clients call for builds on `/grpc`, and are called for their files on `/session`. */
export function openBuildKit(given: DoorServices): BuildKitDoors {
  const services: ControlServices = { ...given, sessions: new Sessions(given.log), jobs: new Jobs() };
  const methods: Methods = new Map([...controlMethods(services), ...gatewayMethods(services)]);
  const uploads = new Uploads();
  return {
    async grpc(x) {
      checkUpgrade(x);
      const buildkit = await services.builds.buildkit(x.signal);
      const connection = await x.hijackSocket(contentType, 'h2c');
      if (buildkit === undefined) await serveGrpc(connection, methods, x.log);
      else await relayCalls(services, buildkit, connection);
    },
    async session(x) {
      checkUpgrade(x);
      const facts = services.sessions.describe(x.headers);
      const buildkit = await services.builds.buildkit(x.signal);
      const connection = await x.hijackSocket(contentType, 'h2c');
      if (buildkit === undefined) await services.sessions.serve(facts, connection);
      else await relaySession(services, buildkit, facts, connection);
    },
    build: (x) => buildForOldClient(x, services, uploads),
    cancel: (id) => services.jobs.cancel(id),
  };
}

/** @throws NotFound where the client asks for no HTTP/2 */
function checkUpgrade(x: Exchange): void {
  if (!x.canHijack) throw notFound('page not found');
}
