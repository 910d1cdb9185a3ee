import type { AuditQuery } from '@cleat/engine/audit/service';
import { invalidParameter, notFound } from '@cleat/protocol/errors';
import { decodeTime } from '../decode/time.js';
import type { Exchange } from '../http/exchange.js';
import type { Query } from '../http/query.js';
import type { Route } from '../http/router.js';
import type { ApiServices } from '../services.js';

/** Our own, beside Docker's API: what `cleat audit` shows. Lines of JSON. */
export function auditRoutes({ audit }: ApiServices): Route[] {
  return [
    {
      method: 'GET',
      path: '/cleat/audit',
      streams: 'down',
      async handler(x: Exchange) {
        if (!audit) throw notFound('page not found');
        const records = audit.read(queryOf(x.query), x.signal);
        await x.begin(200, 'application/jsonl');
        for await (const record of records) if (!(await x.writeLine(record))) break;
        x.end();
      },
    },
  ];
}

const texts = ['user', 'container', 'method', 'route', 'status', 'decision', 'id'] as const;
const known = new Set<string>([...texts, 'since', 'until', 'last', 'follow']);

/** @throws InvalidParameter also for what is not known: to pass over a filter is to show more than was asked for */
function queryOf(query: Query): AuditQuery {
  const strange = query.pairs.find(([name]) => !known.has(name));
  if (strange) throw invalidParameter(`GET /cleat/audit has no parameter "${strange[0]}"`);
  const last = query.integer('last');
  if (last !== undefined && (last < 0 || last > 1_000_000)) throw invalidParameter('last is from 0 to 1000000');
  return {
    ...Object.fromEntries(texts.filter((name) => query.has(name)).map((name) => [name, query.text(name)])),
    ...(query.has('since') && { since: msOf('since', query) }),
    ...(query.has('until') && { until: msOf('until', query) }),
    ...(last !== undefined && { last }),
    follow: query.flag('follow'),
  };
}

function msOf(name: string, query: Query): number | undefined {
  const nanos = decodeTime(name, query.text(name));
  return nanos === undefined ? undefined : Number(nanos / 1_000_000n);
}
