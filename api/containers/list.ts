import type { Containers } from '@cleat/engine/containers/service';
import type { ContainerSummary } from '@cleat/protocol/api/container';
import { stringify } from '@cleat/protocol/json';
import { decodeFilters } from '../decode/filters.js';
import type { Route } from '../http/router.js';

export function listRoutes(containers: Containers): Route[] {
  const lists = new ListEncoder();
  return [
    {
      method: 'GET',
      path: '/containers/json',
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
        const dialect = x.before('1.23') ? '1.20' : x.before('1.46') ? '1.23' : x.before('1.48') ? '1.46' : '1.48';
        x.sendJson(200, lists.encode(rows, dialect));
      },
    },
    {
      method: 'POST',
      path: '/containers/prune',
      handler: async (x) => x.send(200, await containers.prune(decodeFilters(x.query.text('filters')))),
    },
  ];
}

/** The oldest API version whose shape of a row is the one to send. */
type Dialect = '1.20' | '1.23' | '1.46' | '1.48';

/** Keeps what was sent: the engine hands out the same object for a row until it changes, and asking is far commoner. */
class ListEncoder {
  readonly #rows = new WeakMap<ContainerSummary, Map<Dialect, string>>();
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
    const body = Buffer.from(`[${rows.map((row) => this.#encodeRow(row, dialect)).join(',')}]\n`);
    this.#last = { rows, dialect, body };
    return body;
  }

  #encodeRow(row: ContainerSummary, dialect: Dialect): string {
    const texts = this.#rows.get(row) ?? new Map<Dialect, string>();
    this.#rows.set(row, texts);
    const text = texts.get(dialect) ?? stringify(shape(row, dialect));
    texts.set(dialect, text);
    return text;
  }
}

function shape(row: ContainerSummary, dialect: Dialect): object {
  if (dialect === '1.48') return row;
  const networks = Object.entries(row.NetworkSettings?.Networks ?? {});
  const Networks = Object.fromEntries(networks.map(([name, one]) => [name, { ...one, GwPriority: undefined }]));
  const older = { ...row, NetworkSettings: { Networks } };
  if (dialect === '1.46') return older;
  const shaped = { ...older, HostConfig: { NetworkMode: row.HostConfig.NetworkMode } };
  // State came with 1.23, Mounts too.
  return dialect === '1.20' ? { ...shaped, State: undefined, Mounts: undefined } : shaped;
}
