import type { VersionInfo } from '@cleat/engine/system/service';
import { AuthConfig } from '@cleat/protocol/api/image';
import { invalidParameter } from '@cleat/protocol/errors';
import { jsonBody } from '../http/body.js';
import type { Exchange } from '../http/exchange.js';
import type { Route } from '../http/router.js';
import { maxApiVersion, minApiVersion } from '../http/version.js';
import type { ApiServices } from '../services.js';
import { diskUsageFor, diskUsageTypes } from './disk-usage.js';
import { infoFor } from './info.js';

const authBody = jsonBody(AuthConfig);

/** `/_ping`, `/version`, `/info`, `/system/df`, `/auth`. */
export function systemRoutes({ system, images }: ApiServices, options: { minApiVersion?: string }): Route[] {
  return [
    { method: 'GET', path: '/_ping', handler: ping },
    { method: 'HEAD', path: '/_ping', handler: ping },
    { method: 'GET', path: '/version', handler: (x) => x.send(200, version(system.version(), options.minApiVersion)) },
    { method: 'GET', path: '/info', handler: async (x) => x.send(200, infoFor(x, await system.info())) },
    {
      method: 'GET',
      path: '/system/df',
      async handler(x) {
        const types = diskUsageTypes(x);
        const verbose = x.query.flag('verbose');
        x.send(200, diskUsageFor(x, await system.diskUsage(types), verbose));
      },
    },
    {
      method: 'POST',
      path: '/auth',
      body: authBody,
      async handler(x) {
        const auth = await x.json(authBody);
        if (auth === undefined) throw invalidParameter('invalid JSON: got EOF while reading request body');
        x.send(200, await images.login(auth, x.signal));
      },
    },
    { method: 'OPTIONS', path: '/:any', handler: (x) => x.sendEmpty(200) },
  ];
}

function ping(x: Exchange): void {
  x.response.setHeader('Cache-Control', 'no-cache, no-store, must-revalidate');
  x.response.setHeader('Pragma', 'no-cache');
  // BuildKit's: `docker build` uses buildx where it is installed.
  x.response.setHeader('Builder-Version', '2');
  x.response.setHeader('Swarm', 'inactive');
  x.sendText(200, x.method === 'HEAD' ? '' : 'OK');
}

/** Docker's answer repeats the engine's own component at the top. */
function version(info: VersionInfo, floor = minApiVersion): object {
  return {
    Platform: info.Platform,
    Components: info.Components.map((component) =>
      component.Name === 'Engine'
        ? { ...component, Details: { ...engineDetails(info, floor), ...component.Details } }
        : component,
    ),
    Version: info.Version,
    ApiVersion: maxApiVersion,
    MinAPIVersion: floor,
    GitCommit: info.GitCommit,
    GoVersion: 'none',
    Os: info.Os,
    Arch: info.Arch,
    KernelVersion: info.KernelVersion,
    Experimental: info.Experimental || undefined,
    BuildTime: info.BuildTime,
  };
}

/** The engine's own component for `docker version`; all of it is text. */
function engineDetails(info: VersionInfo, floor: string): Record<string, string> {
  return {
    ApiVersion: maxApiVersion,
    MinAPIVersion: floor,
    Arch: info.Arch,
    BuildTime: info.BuildTime,
    Experimental: String(info.Experimental),
    GitCommit: info.GitCommit,
    GoVersion: 'none',
    KernelVersion: info.KernelVersion,
    Os: info.Os,
  };
}
