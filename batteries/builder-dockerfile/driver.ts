import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Semaphore } from '@cleat/protocol/async/semaphore';
import { messageOf } from '@cleat/protocol/errors';
import type { builderKind } from '@cleat/protocol/kinds/builder';
import type { Handlers } from '@cleat/protocol/kinds/kind';
import type { Logger } from '@cleat/protocol/log';
import { build, type Shared } from './build/build.js';
import { Lines } from './build/lines.js';
import { Workspace } from './build/workspace.js';
import { Cache } from './cache/store.js';
import { Upkeep } from './cache/upkeep.js';
import type { Settings } from './options.js';
import { hostPlatform, platformsHere, platformText } from './plan/platform.js';
import { answer } from './questions/answer.js';
import { CacheMounts } from './run/cache-mounts.js';

export interface Driver {
  readonly handlers: Handlers<typeof builderKind>;
  close(): Promise<void>;
}

/** The builder: each build is on its own; they share the cache, and how much is done at once. */
export async function createDriver(settings: Settings, log: Logger): Promise<Driver> {
  const { stateDir } = settings;
  mkdirSync(join(stateDir, 'builds'), { recursive: true, mode: 0o700 });
  for (const name of readdirSync(join(stateDir, 'builds'))) await Workspace.sweep(join(stateDir, 'builds', name));
  const cache = new Cache(join(stateDir, 'steps.journal'), log);
  const cacheMounts = new CacheMounts(join(stateDir, 'mounts'), log);
  const shared: Shared = {
    stateDir,
    view: settings.view,
    cache,
    cacheMounts,
    slots: new Semaphore(settings.parallel),
    log,
  };
  const upkeep = new Upkeep(settings, cache, cacheMounts, log);
  const underWay = new Set<Promise<void>>();
  const stop = new AbortController();
  return {
    handlers: {
      Capabilities: () => ({ Platforms: [...new Set([platformText(hostPlatform()), ...platformsHere()])] }),
      Build(request, { signal }) {
        const lines = new Lines();
        const gone = new AbortController();
        const all = AbortSignal.any([signal, stop.signal, gone.signal]);
        const work = upkeep
          .begin(request.Engine, request.ID)
          .then(() => build(shared, request, lines, all))
          .catch((error: unknown) => log.error(`a build could not end well: ${messageOf(error)}`))
          .finally(() => {
            lines.end();
            underWay.delete(work);
            upkeep.ended(request.ID);
          });
        underWay.add(work);
        return reply(lines, work, gone);
      },
      Ask: (question) => answer(question),
      DiskUsage: async () => ({ Records: await upkeep.usage() }),
      Prune: async (request) => await upkeep.prune(request),
    },
    async close() {
      stop.abort();
      await Promise.allSettled(underWay);
      await upkeep.close();
    },
  };
}

/** The caller gets all lines. A caller that stops reading cancels the build, and nothing of it is left then. */
async function* reply(lines: Lines, work: Promise<void>, gone: AbortController): AsyncGenerator<Uint8Array> {
  try {
    yield* lines.read();
  } finally {
    gone.abort();
    await work;
  }
}
