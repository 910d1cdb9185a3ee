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

/**
 * Routes for builders beside the Engine API, on their socket only: layers without a container, and an image's
 * configuration and history as a whole, which `POST /commit` cannot say.
 */
export function composeRoutes(images: Pick<Images, 'addLayer' | 'compose' | 'inlineCache'>): Route[] {
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
      method: 'GET',
      path: '/build-records/cache',
      handler: async (x) => x.send(200, { Cache: await images.inlineCache(x.query.text('image')) }),
    },
  ];
}
