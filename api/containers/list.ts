import type { Containers } from '@cleat/engine/containers/service';
import type { ContainerSummary } from '@cleat/protocol/api/container';
import { stringify } from '@cleat/protocol/json';
import { decodeFilters } from '../decode/filters.js';
import { EncodedCopies, shapeFor } from '../http/encoded-copies.js';
import type { Route } from '../http/router.js';

export function listRoutes(containers: Containers): Route[] {
  const lists = new ListEncoder();
  return [
    {
      method: 'GET',
      path: '/containers/json',
      selectors: { filters: 'one' },
      async handler(x) {
        const limit = x.query.integer('limit');
        const filters = { ...decodeFilters(x.query.text('filters')) };
        // As parameters of their own until filters came.
        for (const name of ['since', 'before']) {
          const value = x.query.text(name);
          if (value !== '' && !filters[name]) filters[name] = [value];
        }
        const rows = await containers.list({
          all: x.query.flag('all'),
          // Docker takes -1, and anything else below 1, for no limit.
          limit: limit !== undefined && limit > 0 ? limit : undefined,
          size: x.query.flag('size'),
          filters,
        });
        x.sendJson(200, lists.encode(rows, shapeFor(x, dialects)));
      },
    },
    {
      method: 'POST',
      path: '/containers/prune',
      selectors: { filters: 'one' },
      handler: async (x) => x.send(200, await containers.prune(decodeFilters(x.query.text('filters')))),
    },
  ];
}

/** API versions that changed the shape of a row, the newest first. */
const dialects = ['1.52', '1.48', '1.46', '1.23', '1.20'] as const;
type Dialect = (typeof dialects)[number];

/** Keeps each row, and the last list as a whole. */
class ListEncoder {
  readonly #rows = new EncodedCopies<ContainerSummary, Dialect, string>();
  #last: { rows: readonly ContainerSummary[]; dialect: Dialect; body: Buffer } | undefined;

  encode(rows: readonly ContainerSummary[], dialect: Dialect): Buffer {
    const last = this.#last;
    if (
      last?.dialect === dialect &&
      last.rows.length === rows.length &&
      rows.every((row, at) => row === last.rows[at])
    ) {
      return last.body;
    }
    const texts = rows.map((row) => this.#rows.of(row, dialect, () => stringify(shape(row, dialect))));
    const body = Buffer.from(`[${texts.join(',')}]\n`);
    this.#last = { rows, dialect, body };
    return body;
  }
}

function shape(row: ContainerSummary, dialect: Dialect): object {
  if (dialect === '1.52') return row;
  const { Health: _, ...recent } = row;
  if (dialect === '1.48') return recent;
  const networks = Object.entries(row.NetworkSettings?.Networks ?? {});
  const Networks = Object.fromEntries(networks.map(([name, one]) => [name, { ...one, GwPriority: undefined }]));
  const older = { ...recent, NetworkSettings: { Networks } };
  if (dialect === '1.46') return older;
  const shaped = { ...older, HostConfig: { NetworkMode: row.HostConfig.NetworkMode } };
  // State came with 1.23, Mounts too.
  return dialect === '1.20' ? { ...shaped, State: undefined, Mounts: undefined } : shaped;
}
