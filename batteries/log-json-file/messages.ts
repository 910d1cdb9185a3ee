import type { FileOptions } from './options.js';
import type { SinkReport } from './sink.js';

export type Command =
  | { call: 'open'; id: string; options: FileOptions; rest: Uint8Array }
  | { call: 'push'; id: string; chunk: Uint8Array }
  | { call: 'close'; id: string };

export type Report =
  | { event: 'done'; id: string; bytes: number; report?: SinkReport }
  | { event: 'closed'; id: string; report?: SinkReport };
