export { openEvents } from './events.js';
export type { EventQuery, Events, Filters, NewEvent } from './service.js';
