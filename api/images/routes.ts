import type { Images } from '@cleat/engine/images/service';
import type { ImageSummary } from '@cleat/protocol/api/image';
import { invalidParameter, notImplemented } from '@cleat/protocol/errors';
import { decodeFilters } from '../decode/filters.js';
import type { Exchange } from '../http/exchange.js';
import type { Route } from '../http/router.js';
import type { ApiServices } from '../services.js';
import { sendProgress } from '../streams/progress.js';
import { attestations } from './attestations.js';
import { decodeAuth } from './auth.js';
import { createImage } from './create.js';
import { inspectFor } from './inspect.js';
import { decodePlatform, optionalPlatform, platformsFor } from './platform.js';

export function imageRoutes({ images }: ApiServices): Route[] {
  return [
    {
      method: 'GET',
      path: '/images/json',
      selectors: { filters: 'one', filter: 'one', manifests: 'one', identity: 'one' },
      async handler(x) {
        const filters = { ...decodeFilters(x.query.text('filters')) };
        // API 1.24 was the last to have it. A later client that sends it does not want all images either.
        const old = x.query.text('filter');
        if (old !== '' && !filters.reference) filters.reference = [old];
        if (!x.before('1.54') && x.query.flag('identity') && !x.query.flag('manifests')) {
          throw invalidParameter('conflicting options: identity requires manifests=1');
        }
        const sharedSize = !x.before('1.42') && x.query.flag('shared-size');
        const manifests = !x.before('1.47') && x.query.flag('manifests');
        const identity = !x.before('1.54') && x.query.flag('identity');
        const all = await images.list({ all: x.query.flag('all'), filters, sharedSize, manifests, identity });
        x.send(
          200,
          all.map((image) => summaryFor(x, image)),
        );
      },
    },
    {
      method: 'GET',
      path: '/images/search',
      selectors: { filters: 'one' },
      handler: refuseSearch,
    },
    {
      method: 'GET',
      path: '/images/get',
      selectors: { platform: 'many' },
      streams: 'down',
      handler: (x) => save(x, images, x.query.all('names')),
    },
    {
      method: 'GET',
      path: '/images/:name/get',
      selectors: { platform: 'many' },
      streams: 'down',
      handler: (x) => save(x, images, [x.param('name')]),
    },
    {
      method: 'GET',
      path: '/images/:name/history',
      selectors: { platform: 'one' },
      handler: async (x) =>
        x.send(200, await images.history(x.param('name'), optionalPlatform(x.query.text('platform')))),
    },
    {
      method: 'GET',
      path: '/images/:name/json',
      selectors: { platform: 'one', manifests: 'one' },
      async handler(x) {
        const platform = optionalPlatform(x.query.text('platform'));
        const manifests = x.query.flag('manifests');
        if (platform && manifests) {
          throw invalidParameter('conflicting options: manifests and platform options cannot both be set');
        }
        const options = { manifests: manifests && !x.before('1.48') };
        x.send(200, inspectFor(x, await images.inspect(x.param('name'), platform, options)));
      },
    },
    {
      method: 'GET',
      path: '/images/:name/attestations',
      selectors: { platform: 'many' },
      handler: (x) => attestations(x, images),
    },
    {
      method: 'POST',
      path: '/images/load',
      selectors: { platform: 'many' },
      streams: 'both',
      handler: (x) => load(x, images),
    },
    {
      method: 'POST',
      path: '/images/create',
      selectors: { platform: 'one' },
      streams: 'both',
      handler: (x) => createImage(x, images),
    },
    {
      method: 'POST',
      path: '/images/:name/push',
      selectors: { platform: 'one' },
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
      selectors: { filters: 'one' },
      async handler(x) {
        const report = await images.prune(decodeFilters(x.query.text('filters')));
        x.send(200, { ...report, ImagesDeleted: report.ImagesDeleted.length > 0 ? report.ImagesDeleted : null });
      },
    },
    {
      method: 'DELETE',
      path: '/images/:name',
      selectors: { platform: 'many', platforms: 'many' },
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
  const platforms = platformsFor(x, x.query.all('platform'));
  await x.pipe('application/x-tar', await images.save(names, platforms));
}

function load(x: Exchange, images: Images): Promise<void> {
  const platforms = platformsFor(x, x.query.all('platform'));
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
  if (x.before('1.48')) delete shaped.Descriptor;
  if (x.before('1.44')) shaped.VirtualSize = image.Size;
  return shaped;
}

const searchFilters = ['is-automated', 'is-official', 'stars'];

/** Registries are not searched: Docker Hub's own interface is the only one that can be. @throws NotImplemented */
function refuseSearch(x: Exchange): never {
  const limit = x.query.text('limit');
  if (!/^[+]?\d*$/.test(limit)) {
    throw invalidParameter(`invalid limit specified: strconv.Atoi: parsing ${JSON.stringify(limit)}: invalid syntax`);
  }
  const unknown = Object.keys(decodeFilters(x.query.text('filters'))).find((name) => !searchFilters.includes(name));
  if (unknown !== undefined) throw invalidParameter(`invalid filter '${unknown}'`);
  throw notImplemented('searching a registry is not supported by this engine: use the web page of the registry');
}
