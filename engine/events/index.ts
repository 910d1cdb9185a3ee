export { openEvents } from './events.js';
export { defaultRetention } from './journal.js';
export type { EventQuery, Events, Filters, NewEvent } from './service.js';
