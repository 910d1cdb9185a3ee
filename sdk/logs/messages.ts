import type { SinkReport } from './sink.js';

/** To the worker thread. */
export type Command =
  | { call: 'open'; id: string; options: unknown; rest: Uint8Array }
  | { call: 'push'; id: string; chunk: Uint8Array }
  | { call: 'ending' | 'close'; id: string };

/** From the worker thread. */
export type Report =
  | { event: 'done'; id: string; bytes: number; report?: SinkReport }
  | { event: 'closed'; id: string; report?: SinkReport };
