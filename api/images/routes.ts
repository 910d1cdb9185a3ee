import type { Images } from '@cleat/engine/images/service';
import { emptyConfig } from '@cleat/protocol/api/empty-config';
import type { ImageInspect, ImageSummary } from '@cleat/protocol/api/image';
import { invalidParameter, notImplemented } from '@cleat/protocol/errors';
import { decodeFilters } from '../decode/filters.js';
import type { Exchange } from '../http/exchange.js';
import type { Route } from '../http/router.js';
import type { ApiServices } from '../services.js';
import { sendProgress } from '../streams/progress.js';
import { decodeAuth } from './auth.js';
import { createImage } from './create.js';
import { decodePlatform, onePlatform, optionalPlatform } from './platform.js';

export function imageRoutes({ images }: ApiServices): Route[] {
  return [
    {
      method: 'GET',
      path: '/images/json',
      async handler(x) {
        const filters = { ...decodeFilters(x.query.text('filters')) };
        const old = x.query.text('filter');
        if (x.before('1.25') && old !== '' && !filters.reference) filters.reference = [old];
        const sharedSize = !x.before('1.42') && x.query.flag('shared-size');
        const all = await images.list({ all: x.query.flag('all'), filters, sharedSize });
        x.send(
          200,
          all.map((image) => summaryFor(x, image)),
        );
      },
    },
    {
      method: 'GET',
      path: '/images/search',
      handler: () => {
        throw notImplemented('searching a registry is not supported by this engine');
      },
    },
    {
      method: 'GET',
      path: '/images/get',
      streams: 'down',
      handler: (x) => save(x, images, x.query.all('names')),
    },
    {
      method: 'GET',
      path: '/images/:name/get',
      streams: 'down',
      handler: (x) => save(x, images, [x.param('name')]),
    },
    {
      method: 'GET',
      path: '/images/:name/history',
      handler: async (x) =>
        x.send(200, await images.history(x.param('name'), optionalPlatform(x.query.text('platform')))),
    },
    {
      method: 'GET',
      path: '/images/:name/json',
      async handler(x) {
        const platform = optionalPlatform(x.query.text('platform'));
        // Each image is for one platform here, so there is no list of manifests to add.
        if (platform && x.query.flag('manifests')) {
          throw invalidParameter('conflicting options: manifests and platform options cannot both be set');
        }
        x.send(200, inspectFor(x, await images.inspect(x.param('name'), platform)));
      },
    },
    {
      method: 'POST',
      path: '/images/load',
      streams: 'both',
      handler: (x) => load(x, images),
    },
    { method: 'POST', path: '/images/create', streams: 'both', handler: (x) => createImage(x, images) },
    {
      method: 'POST',
      path: '/images/:name/push',
      streams: 'down',
      handler: (x) =>
        sendProgress(
          x,
          images.push({
            ref: x.param('name'),
            tag: x.query.text('tag') || undefined,
            // Before 1.46 clients sent one that meant nothing.
            platform: x.before('1.46') ? undefined : optionalPlatform(x.query.text('platform')),
            auth: decodeAuth(x.headers['x-registry-auth']),
            signal: x.signal,
          }),
        ),
    },
    {
      method: 'POST',
      path: '/images/:name/tag',
      async handler(x) {
        const repository = x.query.text('repo');
        if (repository === '') throw invalidParameter('invalid reference format: repository name is missing');
        await images.tag(x.param('name'), repository, x.query.text('tag') || 'latest');
        x.sendEmpty(201);
      },
    },
    {
      method: 'POST',
      path: '/images/prune',
      async handler(x) {
        const report = await images.prune(decodeFilters(x.query.text('filters')));
        x.send(200, { ...report, ImagesDeleted: report.ImagesDeleted.length > 0 ? report.ImagesDeleted : null });
      },
    },
    {
      method: 'DELETE',
      path: '/images/:name',
      async handler(x) {
        if (x.param('name').trim() === '') throw invalidParameter('image name cannot be blank');
        // A client that writes `platform`, as other routes have it, must not lose the image of another platform.
        const platforms = [...x.query.all('platforms'), ...x.query.all('platform')].map(decodePlatform);
        const options = { force: x.query.flag('force'), noPrune: x.query.flag('noprune'), platforms };
        x.send(200, await images.remove(x.param('name'), options));
      },
    },
    {
      method: 'GET',
      path: '/distribution/:name/json',
      handler: async (x) =>
        x.send(200, await images.inspectRemote(x.param('name'), decodeAuth(x.headers['x-registry-auth']), x.signal)),
    },
  ];
}

async function save(x: Exchange, images: Images, names: string[]): Promise<void> {
  const platforms = onePlatform(x.query.all('platform'));
  await x.pipe('application/x-tar', await images.save(names, platforms));
}

function load(x: Exchange, images: Images): Promise<void> {
  const platforms = onePlatform(x.query.all('platform'));
  const quiet = x.query.flag('quiet', true);
  return sendProgress(x, images.load(x.body(), { quiet, platforms, signal: x.signal }));
}

/** A row of `GET /images/json` in the shape of the client's version. */
function summaryFor(x: Exchange, image: ImageSummary): ImageSummary {
  const shaped = { ...image };
  if (x.before('1.43') && image.RepoTags.length === 0 && image.RepoDigests.length === 0) {
    shaped.RepoTags = ['<none>:<none>'];
    shaped.RepoDigests = ['<none>@<none>'];
  }
  if (x.before('1.51')) shaped.Containers = -1;
  if (x.before('1.44')) shaped.VirtualSize = image.Size;
  return shaped;
}

/** `GET /images/{name}/json` in the shape of the client's version. */
function inspectFor(x: Exchange, image: ImageInspect): object {
  const shaped: Record<string, unknown> = { ...image };
  if (x.before('1.44')) shaped.VirtualSize = image.Size;
  if (x.before('1.45')) {
    shaped.Container ??= '';
    // The configuration of the container that made the image; no engine keeps it today.
    shaped.ContainerConfig ??= emptyConfig;
  }
  // Lists of digests and tags are never null; layers came with 1.23.
  if (x.before('1.23')) delete shaped.RootFS;
  return shaped;
}
