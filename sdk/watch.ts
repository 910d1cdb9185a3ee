/** Observe an engine, Cleat's or a stock dockerd's: its events without holes, and what is there, kept up to date. */
export type { EngineTls } from './watch/address.js';
export { Engine, type EngineOptions } from './watch/engine.js';
export { type EventItem, type EventOptions, events, type Filters } from './watch/events.js';
export type { ObjectKind } from './watch/kinds.js';
export type { EngineEvent } from './watch/message.js';
export type { Known, Picture } from './watch/picture.js';
export { type Change, type Watch, type WatchOptions, watch } from './watch/watcher.js';
