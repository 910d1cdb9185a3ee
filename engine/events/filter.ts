import type { EventMessage } from '@cleat/protocol/api/event';
import { checkFilters, filterValues, matchExact, matchLabels, matchPrefix } from '../filters.js';
import type { Filters } from './service.js';

const accepted = [
  'config',
  'container',
  'daemon',
  'event',
  'image',
  'label',
  'network',
  'node',
  'plugin',
  'scope',
  'secret',
  'service',
  'type',
  'volume',
];

/** Each names an actor of its type by the beginning of its ID or name. */
const actorFilters = ['config', 'container', 'daemon', 'network', 'node', 'plugin', 'secret', 'service', 'volume'];

/** Actions that carry more after a colon (`exec_create: sh`): the bare word stands for all of them. */
const prefixActions = ['health_status', 'exec_create', 'exec_start'];

/**
 * The filters of `GET /events` as one predicate (moby `daemon/events/filter.go`).
 * @throws InvalidParameter for an unknown one
 */
export function eventFilter(filters: Filters): (event: EventMessage) => boolean {
  checkFilters(filters, accepted);
  const tests: ((event: EventMessage) => boolean)[] = [];
  const actions = filterValues(filters, 'event');
  if (actions?.some((action) => prefixActions.includes(action))) {
    tests.push((event) => matchPrefix(filters, 'event', event.Action));
  } else if (actions) {
    tests.push((event) => actions.includes(event.Action));
  }
  if (filterValues(filters, 'type')) tests.push((event) => matchExact(filters, 'type', event.Type));
  if (filterValues(filters, 'scope')) tests.push((event) => matchExact(filters, 'scope', event.scope));
  for (const name of actorFilters) {
    if (!filterValues(filters, name)) continue;
    tests.push(
      ({ Actor }) => matchPrefix(filters, name, Actor.ID) || matchPrefix(filters, name, Actor.Attributes.name ?? ''),
    );
  }
  const images = filterValues(filters, 'image');
  if (images) tests.push((event) => imageNames(event).some((name) => images.includes(name)));
  if (filterValues(filters, 'label')) tests.push(({ Actor }) => matchLabels(filters, Actor.Attributes));
  return (event) => tests.every((test) => test(event));
}

/** Every name by which an event's image may be asked for: those of an image, or of the image a container is made of. */
function imageNames({ Type, Actor }: EventMessage): string[] {
  const name = (Type === 'image' ? Actor.Attributes.name : Actor.Attributes.image) ?? '';
  return [Actor.ID, name, withoutTag(Actor.ID), withoutTag(name)];
}

/** The familiar name of an image reference, without tag and digest. */
function withoutTag(reference: string): string {
  const [name = ''] = reference.split('@');
  const colon = name.indexOf(':', name.lastIndexOf('/') + 1);
  return (colon < 0 ? name : name.slice(0, colon)).replace(/^(?:docker\.io\/)(?:library\/)?/, '');
}
