import type { BuildRequest, builderKind } from '@cleat/protocol/kinds/builder';
import type { CallContext, Handlers } from '@cleat/protocol/kinds/kind';
import type { Logger } from '@cleat/protocol/log';
import { build } from './build.js';
import { checkFilters, type PruneOrder, pruneCache, usageOf } from './cache.js';
import { connectTo } from './connection.js';
import { solveRequestOf } from './order.js';

/** How long a list waits for buildkitd, in ms. */
const shortPatienceMs = 3_000;

/** Builds by a buildkitd, and loads what it made into the engine. */
export class BuildKitBuilder implements Handlers<typeof builderKind> {
  readonly #path: string;
  readonly #log: Logger;

  constructor(path: string, log: Logger) {
    this.#path = path;
    this.#log = log;
  }

  readonly Capabilities = () => ({ BuildKit: this.#path });

  readonly Build = (order: BuildRequest, { signal }: CallContext): AsyncIterable<Uint8Array> => {
    const request = solveRequestOf(order);
    return build({ path: this.#path, log: this.#log }, order, request, signal);
  };

  readonly DiskUsage = async ({ Chosen }: { Chosen?: boolean }) => {
    // It may be there for others.
    if (!Chosen) return {};
    const client = await connectTo(this.#path, this.#log, shortPatienceMs);
    try {
      return { Records: await usageOf(client) };
    } finally {
      client.close();
    }
  };

  readonly Prune = async (order: PruneOrder & { Chosen?: boolean }, { signal }: CallContext) => {
    checkFilters(order.Filters);
    if (!order.Chosen) return {};
    const client = await connectTo(this.#path, this.#log);
    try {
      return await pruneCache(client, order, signal);
    } finally {
      client.close();
    }
  };
}
