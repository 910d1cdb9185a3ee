import type { Builds } from '@cleat/engine/build/service';
import type { Containers } from '@cleat/engine/containers/service';
import type { Images } from '@cleat/engine/images/service';
import { ContainerConfig } from '@cleat/protocol/api/container';
import Type from '@cleat/protocol/schema';
import { jsonBody } from '../http/body.js';
import type { Route } from '../http/router.js';

const text = Type.Optional(Type.String());

const composeBody = jsonBody(
  Type.Object({
    Parent: text,
    Base: text,
    Config: Type.Optional(ContainerConfig),
    History: Type.Optional(
      Type.Array(
        Type.Object({
          created: text,
          created_by: text,
          author: text,
          comment: text,
          empty_layer: Type.Optional(Type.Boolean()),
        }),
      ),
    ),
    Created: text,
    Author: text,
    Cache: text,
    Depth: Type.Optional(Type.Integer()),
    Platform: Type.Optional(Type.Object({ os: Type.String(), architecture: Type.String(), variant: text })),
  }),
);

const cacheBody = jsonBody(Type.Object({ Cache: text, Layers: Type.Optional(Type.Array(Type.String())) }));

const variablesBody = jsonBody(Type.Object({ Variables: Type.Array(Type.String()) }));

interface ComposeServices {
  readonly builds: Pick<Builds, 'caches' | 'download'>;
  readonly images: Pick<Images, 'addKnownLayer' | 'addLayer' | 'compose' | 'origin' | 'removeRecord'>;
  readonly containers: Pick<Containers, 'hideVariables'>;
}

/**
 * Routes for builders beside the Engine API, on their socket only: layers without a container, and an image's
 * configuration and history as a whole, which `POST /commit` cannot say; secrets as variables, which are to be in no
 * record of a container; and files of web servers, which only the engine knows how to reach.
 */
export function composeRoutes({ builds, images, containers }: ComposeServices): Route[] {
  return [
    {
      method: 'POST',
      path: '/build-records/layer',
      streams: 'up',
      async handler(x) {
        x.send(201, await images.addLayer(x.query.text('parent'), x.body()));
      },
    },
    {
      method: 'POST',
      path: '/build-records',
      body: composeBody,
      async handler(x) {
        const { Parent, Base, Config, History, Created, Author, Platform, Cache, Depth } =
          (await x.json(composeBody)) ?? {};
        const composed = await images.compose({
          parent: Parent ?? '',
          base: Base ?? '',
          config: Config ?? {},
          history: History ?? [],
          created: Created ?? new Date().toISOString(),
          ...(Author && { author: Author }),
          ...(Cache && { cache: Cache }),
          ...(Depth !== undefined && { depth: Depth }),
          ...(Platform && { platform: Platform }),
        });
        x.send(201, composed);
      },
    },
    {
      method: 'DELETE',
      path: '/build-records/:id',
      async handler(x) {
        await images.removeRecord(x.param('id'));
        x.sendEmpty(204);
      },
    },
    {
      method: 'POST',
      path: '/build-records/variables',
      body: variablesBody,
      async handler(x) {
        const { Variables = [] } = (await x.json(variablesBody)) ?? {};
        containers.hideVariables(x.query.text('container'), Variables);
        x.sendEmpty(204);
      },
    },
    {
      method: 'GET',
      path: '/build-records/download',
      streams: 'down',
      async handler(x) {
        const { content, length, modified } = await builds.download(x.query.text('url'), x.signal);
        await x.pipe('application/octet-stream', content, {
          ...(length !== undefined && { 'Content-Length': `${length}` }),
          ...(modified !== undefined && { 'Last-Modified': modified }),
        });
      },
    },
    {
      method: 'GET',
      path: '/build-records/cache',
      handler: async (x) => x.send(200, await images.origin(x.query.text('image'))),
    },
    {
      method: 'GET',
      path: '/build-records/caches',
      handler: async (x) => x.send(200, await builds.caches.open(x.query.text('build'), x.query.integer('from') ?? 0)),
    },
    {
      method: 'POST',
      path: '/build-records/caches/layer',
      async handler(x) {
        const { query } = x;
        const layer = await builds.caches.layer(query.text('build'), query.integer('from') ?? 0, query.text('layer'));
        x.send(201, await images.addKnownLayer(query.text('parent'), layer));
      },
    },
    {
      method: 'POST',
      path: '/build-records/caches',
      body: cacheBody,
      async handler(x) {
        const { Cache = '', Layers = [] } = (await x.json(cacheBody)) ?? {};
        const { digest, size } = await builds.caches.write(
          x.query.text('build'),
          x.query.integer('to') ?? 0,
          Cache,
          Layers,
        );
        x.send(201, { Digest: digest, Size: size });
      },
    },
  ];
}
