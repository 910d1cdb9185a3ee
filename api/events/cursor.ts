import type { Events } from '@cleat/engine/events/service';
import type { Route } from '../http/router.js';

/** With an answer of `GET /events`: where it begins. With a list: the place in the journal at which it was made. */
export const cursorHeader = 'Cleat-Events-Cursor';

/** Lists of what the events tell of. */
const lists = ['/containers/json', '/images/json', '/networks', '/volumes', '/plugins'];

/**
 * Has each list say at which place in the journal it was made: a client that reads the events after that misses nothing.
 * The place is taken before the list is made: an event that comes meanwhile is told, whether the list shows it or not.
 * That suffices because a room changes its state before it publishes the event of it.
 */
export function withCursors(routes: readonly Route[], events: Pick<Events, 'cursor'>): Route[] {
  return routes.map((route) => {
    if (route.method !== 'GET' || !lists.includes(route.path)) return route;
    return {
      ...route,
      handler: (x) => {
        x.response.setHeader(cursorHeader, events.cursor);
        return route.handler(x);
      },
    };
  });
}
