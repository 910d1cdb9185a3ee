import type { Containers } from '@cleat/engine/containers/service';
import { type ContainerConfig, ContainerCreateRequest } from '@cleat/protocol/api/container';
import { invalidParameter } from '@cleat/protocol/errors';
import { jsonBody } from '../http/body.js';
import type { Exchange } from '../http/exchange.js';
import type { Route } from '../http/router.js';
import { applyVersion } from './create-versions.js';

const body = jsonBody(ContainerCreateRequest);

export function createRoutes(containers: Containers): Route[] {
  return [
    {
      method: 'POST',
      path: '/containers/create',
      selectors: { platform: 'one' },
      body,
      handler: (x) => create(x, containers),
    },
  ];
}

async function create(x: Exchange, containers: Containers): Promise<void> {
  const request = await x.json(body);
  if (!request || !hasConfig(request)) {
    throw invalidParameter(
      request
        ? 'config cannot be empty in order to create a container'
        : 'invalid JSON: got EOF while reading request body',
    );
  }
  const warnings = applyVersion(x, request);
  const created = await containers.create(request, {
    name: x.query.text('name') || undefined,
    readOnlyNonRecursive: x.before('1.44') || undefined,
    platform: x.query.text('platform') || undefined,
  });
  x.made = created.Id;
  x.send(201, { Id: created.Id, Warnings: listFor(x, [...created.Warnings, ...warnings]) });
}

/** Something of the container's own configuration is there: `{}` is a mistake. */
function hasConfig(request: ContainerConfig): boolean {
  return Object.keys(request).some((key) => key !== 'HostConfig' && key !== 'NetworkingConfig');
}

/** No warnings were `null` in old versions. */
function listFor(x: Exchange, warnings: string[]): string[] | null {
  return warnings.length === 0 && x.before('1.40') ? null : warnings;
}
