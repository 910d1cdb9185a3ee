import type { Extensions } from '@cleat/extensions/service';
import { conflict, invalidParameter, messageOf } from '@cleat/protocol/errors';
import { builderKind } from '@cleat/protocol/kinds/builder';
import type { Logger } from '@cleat/protocol/log';
import type { Events } from '../events/service.js';
import { booleanFilter, checkFilters, type Filters, filterValues, untilFilter, untilOfImages } from '../filters.js';
import type { BuildCache } from './cache.js';
import type { Contexts } from './context/contexts.js';
import type { Doors } from './doors.js';
import type { PruneBuildOptions } from './service.js';

/** moby's (`daemon/internal/builder-next`); BuildKit takes `unused-for` for `until`. */
const filters = ['until', 'unused-for', 'id', 'parent', 'type', 'description', 'inuse', 'shared', 'private'];

/** `docker system prune --filter label=…` sends them for everything that it prunes. Cache has no labels. */
const labelFilters = ['label', 'label!'];

/** A builder that cannot read a value would prune nothing, or too much. @throws InvalidParameter */
export function checkPruneFilters(given: Filters): void {
  checkFilters(given, [...filters, ...labelFilters]);
  for (const name of filters) {
    if ((filterValues(given, name)?.length ?? 0) > 1) throw invalidParameter('filters expect only one value');
  }
  untilFilter(given, untilOfImages);
  untilFilter({ until: given['unused-for'] ?? [] }, untilOfImages);
  for (const name of ['inuse', 'shared', 'private']) booleanFilter(given, name);
}

interface PruneDeps {
  readonly extensions: Extensions;
  readonly doors: Doors;
  readonly cache: BuildCache;
  readonly contexts: Contexts;
  readonly events: Events;
  readonly log: Logger;
  readonly isChosen: (builder: string) => boolean;
}

export class Prune {
  readonly #deps: PruneDeps;
  #isRunning = false;

  constructor(deps: PruneDeps) {
    this.#deps = deps;
  }

  /** @throws InvalidParameter for a filter, Conflict while another prune runs */
  async run(given: PruneBuildOptions): Promise<{ CachesDeleted: string[]; SpaceReclaimed: number }> {
    checkPruneFilters(given.filters);
    // Cache has no labels: it is left alone where one is asked for, and goes where there is to be none.
    const { label, 'label!': _without, ...filters } = given.filters;
    if ((label?.length ?? 0) > 0) return { CachesDeleted: [], SpaceReclaimed: 0 };
    const options = { ...given, filters };
    if (this.#isRunning) throw conflict('a prune operation is already running');
    this.#isRunning = true;
    try {
      const deleted: string[] = [];
      let reclaimed = 0;
      for (const builder of this.#deps.cache.builders()) {
        const { removed, bytes } = await this.#pruneOf(builder, options);
        deleted.push(...removed);
        reclaimed += bytes;
      }
      if (options.all || Object.keys(options.filters).length === 0) {
        for (const { name, bytes } of await this.#deps.contexts.usage()) {
          if (!(await this.#deps.contexts.removeKept(name))) continue;
          deleted.push(name);
          reclaimed += bytes;
        }
      }
      const attributes = { reclaimed: String(reclaimed) };
      this.#deps.events.publish({ type: 'builder', action: 'prune', id: '', attributes });
      return { CachesDeleted: deleted, SpaceReclaimed: reclaimed };
    } finally {
      this.#isRunning = false;
    }
  }

  /** One builder that does not answer keeps what it has; the others are pruned. */
  async #pruneOf(builder: string, options: PruneBuildOptions): Promise<{ removed: string[]; bytes: number }> {
    const { extensions, doors, cache, log } = this.#deps;
    const removed: string[] = [];
    let bytes = 0;
    if (extensions.names(builderKind).includes(builder)) {
      try {
        const client = await extensions.get(builderKind, builder, { impatient: true });
        const answer = await client.Prune({
          Engine: await doors.of(builder),
          Chosen: this.#deps.isChosen(builder),
          All: options.all,
          Filters: Object.fromEntries(Object.entries(options.filters).map(([name, values]) => [name, [...values]])),
          ...(options.reservedSpace && { ReservedSpace: options.reservedSpace }),
          ...(options.maxUsedSpace && { MaxUsedSpace: options.maxUsedSpace }),
          ...(options.minFreeSpace && { MinFreeSpace: options.minFreeSpace }),
        });
        removed.push(...(answer?.Removed ?? []));
        bytes += answer?.SpaceReclaimed ?? 0;
      } catch (error) {
        log.warn(`the cache of builder "${builder}" could not be pruned: ${messageOf(error)}`);
      }
    }
    if (Object.keys(options.filters).length === 0) {
      for (const record of (await cache.removeOrphans(builder)).removed) {
        removed.push(record.ID);
        bytes += record.Size ?? 0;
      }
    }
    return { removed, bytes };
  }
}
