import type { EventMessage } from '@cleat/protocol/api/event';
import { invalidParameter } from '@cleat/protocol/errors';
import { stringify } from '@cleat/protocol/json';
import { decodeFilters } from '../decode/filters.js';
import { decodeTime } from '../decode/time.js';
import { acceptedType } from '../http/accept.js';
import type { Exchange } from '../http/exchange.js';
import type { Route } from '../http/router.js';
import type { ApiServices } from '../services.js';

/** Forms of a stream of JSON that a client may ask for by `Accept`, in any API version. */
const streamTypes = ['application/jsonl', 'application/x-ndjson', 'application/json-seq'] as const;

export function eventRoutes({ events }: ApiServices): Route[] {
  return [
    {
      method: 'GET',
      path: '/events',
      selectors: { filters: 'one' },
      streams: 'down',
      async handler(x) {
        const since = decodeTime('since', x.query.text('since'));
        const until = decodeTime('until', x.query.text('until'));
        if (since !== undefined && until !== undefined && until < since) {
          throw invalidParameter(
            `\`since\` time (${x.query.text('since')}) cannot be after \`until\` time (${x.query.text('until')})`,
          );
        }
        const filters = decodeFilters(x.query.text('filters'));
        const subscription = events.subscribe({ since, until, filters, signal: x.signal });
        const type = acceptedType(x.headers, streamTypes) ?? (x.before('1.52') ? 'application/json' : streamTypes[0]);
        // RFC 7464: each text begins with a record separator.
        const mark = type === 'application/json-seq' ? '\x1e' : '';
        // A client lists and then relies on what comes: the subscription stands before the head is sent.
        await x.begin(200, type);
        for await (const event of subscription) {
          if (skipped(x, event)) continue;
          if (!(await x.write(`${mark}${textOf(event, x.before('1.52'))}\n`))) break;
        }
        x.end();
      },
    },
  ];
}

/** An event's text is made once for all who read it: for old clients, and for today's. */
const texts = { old: new WeakMap<EventMessage, string>(), new: new WeakMap<EventMessage, string>() };

function textOf(event: EventMessage, isOld: boolean): string {
  const made = isOld ? texts.old : texts.new;
  let text = made.get(event);
  if (text === undefined) {
    text = stringify(isOld ? legacy(event) : event);
    made.set(event, text);
  }
  return text;
}

function skipped(x: Exchange, event: EventMessage): boolean {
  return x.before('1.46') && event.Type === 'image' && event.Action === 'create';
}

/** Up to API 1.51 events carry the fields of Docker 1.9 too, and clients of all ages read them. */
function legacy(event: EventMessage): object {
  switch (event.Type) {
    case 'container':
      return { status: event.Action, id: event.Actor.ID, from: event.Actor.Attributes.image, ...event };
    case 'image':
      return { status: event.Action, id: event.Actor.ID, ...event };
    default:
      return event;
  }
}
