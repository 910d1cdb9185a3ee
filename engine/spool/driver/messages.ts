import type { FeedOptions, Resumption } from './feed.js';
import type { Dropped } from './progress.js';

/** To the worker: a method of Runner. */
export type Command =
  | { call: 'add'; id: string; options: FeedOptions }
  | { call: 'settle'; id: string; written: number }
  | { call: 'wake' | 'finish' | 'drop'; id: string };

/** From the worker: a method of RunnerEvents. */
export type Report =
  | { event: 'idle' | 'drained'; id: string; written: number }
  | { event: 'stalled'; id: string }
  | { event: 'lost'; id: string; dropped: Dropped }
  | { event: 'dropped'; id: string; at: Resumption | undefined }
  | { event: 'failed'; id: string; message: string };
