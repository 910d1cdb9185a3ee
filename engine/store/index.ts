export type { Collection, Store } from './service.js';
export { openStore } from './store.js';
