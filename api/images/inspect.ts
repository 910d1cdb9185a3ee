import type { ContainerConfig } from '@cleat/protocol/api/container';
import { emptyConfig } from '@cleat/protocol/api/empty-config';
import type { ImageInspect } from '@cleat/protocol/api/image';
import type { Exchange } from '../http/exchange.js';

/** Fields of an image's configuration (OCI image specification, and Docker's), all of which were shown up to 1.51. */
const ofImages = {
  Cmd: null,
  Entrypoint: null,
  Env: null,
  Labels: null,
  OnBuild: null,
  User: '',
  Volumes: null,
  WorkingDir: '',
} as const satisfies ContainerConfig;

/** Further fields of an image's configuration, shown where they are set. */
const shownIfSet = ['ArgsEscaped', 'ExposedPorts', 'Healthcheck', 'Shell', 'StopSignal'] as const;

/** `GET /images/{name}/json` in the shape of the client's version (moby `getImagesByName`). */
export function inspectFor(x: Pick<Exchange, 'before' | 'headers'>, image: ImageInspect): object {
  const shaped: Record<string, unknown> = { ...image, Config: configFor(x, image.Config) };
  if (!x.before('1.52')) {
    for (const name of ['Parent', 'Comment', 'DockerVersion', 'Author']) if (shaped[name] === '') delete shaped[name];
  }
  if (x.before('1.48')) delete shaped.Descriptor;
  if (x.before('1.53')) delete shaped.Identity;
  if (x.before('1.44')) shaped.VirtualSize = image.Size;
  if (x.before('1.45') || isFirstCompose(x)) {
    shaped.Container ??= '';
    // The configuration of the container that made the image; no engine keeps it today.
    shaped.ContainerConfig ??= emptyConfig;
  }
  // Lists of digests and tags are never null; layers came with 1.23.
  if (x.before('1.23')) delete shaped.RootFS;
  return shaped;
}

/**
 * Compose of Python takes the newest version of an engine, whatever that is, and fails where a service is made anew from
 * an image without the configuration of a container (`KeyError: 'ContainerConfig'`, which stock engines answer with, too).
 */
function isFirstCompose({ headers }: Pick<Exchange, 'headers'>): boolean {
  return /^docker-compose\/1\./.test(headers['user-agent'] ?? '');
}

/** Before 1.50 it was shown as if it were a container's; from 1.52 on what is not set is left out. */
function configFor(x: Pick<Exchange, 'before'>, config: ContainerConfig): object {
  if (x.before('1.50')) return { ...emptyConfig, ...config };
  const names = [...(Object.keys(ofImages) as (keyof typeof ofImages)[]), ...shownIfSet];
  const set = Object.fromEntries(names.flatMap((name) => (isSet(config[name]) ? [[name, config[name]]] : [])));
  return x.before('1.52') ? { ...ofImages, ...set } : set;
}

/** As Go's `omitempty` sees it. */
function isSet(value: unknown): boolean {
  if (value === null || typeof value !== 'object') return Boolean(value);
  return Object.keys(value).length > 0;
}
