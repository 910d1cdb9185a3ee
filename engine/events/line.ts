import type { EventMessage, EventType } from '@cleat/protocol/api/event';
import type { Caller } from '@cleat/protocol/caller';

/** An event and its place in the order. */
export interface Entry {
  seq: number;
  event: EventMessage;
}

/** The journal's line: short keys, and the nanoseconds as digits because JSON's numbers do not hold them. */
interface Line {
  s: number;
  n: string;
  t: EventType;
  a: string;
  i: string;
  l: Record<string, string>;
  c?: Caller;
}

export function encodeLine({ seq, event }: Entry): Buffer {
  const line: Line = {
    s: seq,
    n: String(event.timeNano),
    t: event.Type,
    a: event.Action,
    i: event.Actor.ID,
    l: event.Actor.Attributes,
    ...(event.Caller && { c: event.Caller }),
  };
  return Buffer.from(`${JSON.stringify(line)}\n`);
}

/** A line's entry in a list, or none when the line is damaged. */
export function decodeLine(text: string): Entry[] {
  try {
    const { s, n, t, a, i, l, c } = JSON.parse(text) as Line;
    return [{ seq: s, event: makeEvent(t, a, i, l, BigInt(n), c) }];
  } catch {
    // A block that the disk did not keep. The events around it are more useful than a refusal to start.
    return [];
  }
}

export function makeEvent(
  type: EventType,
  action: string,
  id: string,
  attributes: Record<string, string>,
  timeNano: bigint,
  caller?: Caller,
  cursor?: string,
): EventMessage {
  return {
    Type: type,
    Action: action,
    Actor: { ID: id, Attributes: attributes },
    scope: 'local',
    time: Number(timeNano / 1_000_000_000n),
    timeNano,
    ...(caller && { Caller: caller }),
    ...(cursor !== undefined && { Cursor: cursor }),
  };
}
