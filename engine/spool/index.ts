export type { LogsQuery, Spool, SpoolChunk, SpoolPosition } from './service.js';
export { openSpool, type SpoolDeps } from './spool.js';
export { SpoolFile } from './spool-file.js';
