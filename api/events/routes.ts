import type { EventQuery } from '@cleat/engine/events/service';
import type { EventMessage } from '@cleat/protocol/api/event';
import { invalidParameter } from '@cleat/protocol/errors';
import { stringify } from '@cleat/protocol/json';
import { decodeFilters } from '../decode/filters.js';
import { decodeTime } from '../decode/time.js';
import { acceptedType } from '../http/accept.js';
import type { Exchange } from '../http/exchange.js';
import type { Route } from '../http/router.js';
import type { ApiServices } from '../services.js';
import { cursorHeader } from './cursor.js';

/** Forms of a stream of JSON that a client may ask for by `Accept`, in any API version. The last is no name for one. */
const streamTypes = ['application/jsonl', 'application/x-ndjson', 'application/json-seq', 'application/json'] as const;

export function eventRoutes({ events }: ApiServices): Route[] {
  return [
    {
      method: 'GET',
      path: '/events',
      selectors: { filters: 'one' },
      streams: 'down',
      async handler(x) {
        const type = acceptedType(x.headers, streamTypes) ?? (x.before('1.52') ? 'application/json' : streamTypes[0]);
        const query = queryOf(x);
        // Nothing says where past events begin that are chosen by their time.
        const isByTime = query.since !== undefined || query.until !== undefined;
        const cursor = query.cursor ?? (isByTime ? undefined : events.cursor);
        const subscription = events.subscribe({ ...query, signal: x.signal });
        // A client lists and then relies on what comes: the subscription stands before the head is sent.
        await x.begin(200, type, cursor === undefined ? {} : { [cursorHeader]: cursor });
        const form: Form = {
          isOld: x.before('1.52'),
          withoutImageCreate: x.before('1.46'),
          // RFC 7464: each text begins with a record separator.
          mark: type === 'application/json-seq' ? '\x1e' : '',
        };
        for await (const batch of subscription) {
          const bytes = encoded(batch, form);
          if (bytes.length > 0 && !(await x.write(bytes))) break;
        }
        x.end();
      },
    },
  ];
}

/** @throws InvalidParameter */
function queryOf(x: Exchange): Omit<EventQuery, 'signal'> {
  const since = decodeTime('since', x.query.text('since'));
  const until = decodeTime('until', x.query.text('until'));
  if (since !== undefined && until !== undefined && until < since) {
    throw invalidParameter(
      `\`since\` time (${x.query.text('since')}) cannot be after \`until\` time (${x.query.text('until')})`,
    );
  }
  const cursor = x.query.text('cursor') || undefined;
  if (cursor !== undefined && since !== undefined) {
    throw invalidParameter('"since" and "cursor" both say where to begin: give one of them');
  }
  return { since, until, cursor, filters: decodeFilters(x.query.text('filters')) };
}

interface Form {
  readonly isOld: boolean;
  readonly withoutImageCreate: boolean;
  readonly mark: string;
}

/** The last batch in each form: readers who keep up get the same one, and it is encoded once for all of them. */
const last = new Map<string, { batch: readonly EventMessage[]; bytes: Buffer }>();

function encoded(batch: readonly EventMessage[], form: Form): Buffer {
  const key = `${form.isOld} ${form.withoutImageCreate} ${form.mark}`;
  const made = last.get(key);
  if (made?.batch.length === batch.length && made.batch.every((event, at) => event === batch[at])) return made.bytes;
  const texts = batch.flatMap((event) => {
    const isLeftOut = form.withoutImageCreate && event.Type === 'image' && event.Action === 'create';
    return isLeftOut ? [] : [`${form.mark}${textOf(event, form.isOld)}\n`];
  });
  const bytes = Buffer.from(texts.join(''));
  last.set(key, { batch, bytes });
  return bytes;
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

/** Up to API 1.51 events carry the fields of Docker 1.9 too, and clients of all ages read them. */
function legacy(event: EventMessage): object {
  // An event of many (`prune`) has none.
  const id = event.Actor.ID || undefined;
  switch (event.Type) {
    case 'container':
      return { status: event.Action, id, from: event.Actor.Attributes.image, ...event };
    case 'image':
      return { status: event.Action, id, ...event };
    default:
      return event;
  }
}
