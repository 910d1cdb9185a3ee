import type { Caller } from '../caller.js';

export type EventType = 'container' | 'image' | 'volume' | 'network' | 'plugin' | 'daemon' | 'builder';

export interface EventMessage {
  Type: EventType;
  Action: string;
  Actor: { ID: string; Attributes: Record<string, string> };
  scope: 'local' | 'swarm';
  /** Seconds since the epoch. */
  time: number;
  /** Nanoseconds since the epoch: int64, hence a bigint. */
  timeNano: bigint;
  /**
   * The client that asked for it, if it happened while that request was served. Docker's API has no such member, and its
   * clients ignore it.
   */
  Caller?: Caller;
  /** Names this event's place in the journal: `GET /events?cursor=…` goes on after it. Ours, as `Caller` is. */
  Cursor?: string;
}
