/** An event as `GET /events` has it. */
export interface JournalEvent {
  readonly Type: string;
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
  readonly timeNano: number;
}

/** Pairs of events: when everything is over, each `begin` has had one `end`. */
const pairs: readonly (readonly [type: string, begin: string, end: string])[] = [
  ['container', 'create', 'destroy'],
  ['container', 'start', 'die'],
  ['volume', 'mount', 'unmount'],
  ['network', 'connect', 'disconnect'],
  ['network', 'create', 'destroy'],
];

/**
 * Whether the journal of what has come and gone is balanced.
 * @param events of things that are all removed by now, in order
 * @param disconnected networks that a client took a container off, one entry for each time: as Docker, the engine says
 * `disconnect` of a container that does not run, too
 * @returns a sentence for each that is not
 */
export function journalComplaints(events: readonly JournalEvent[], disconnected: readonly string[] = []): string[] {
  const spare = [...disconnected];
  const isSpare = ({ Action, Actor }: JournalEvent) => {
    const at = Action === 'disconnect' ? spare.indexOf(Actor.Attributes.name ?? '') : -1;
    return at >= 0 && spare.splice(at, 1).length > 0;
  };
  return pairs.flatMap(([type, begin, end]) => {
    const open = new Map<string, number>();
    const complaints: string[] = [];
    for (const event of events) {
      const { Type, Action, Actor } = event;
      if (Type !== type || (Action !== begin && Action !== end)) continue;
      const who = [Actor.ID, Actor.Attributes.container].filter(Boolean).join(' of ');
      const count = (open.get(who) ?? 0) + (Action === begin ? 1 : -1);
      if (count < 0 && isSpare(event)) continue;
      open.set(who, count);
      if (count < 0) complaints.push(`${type} ${who} has an event ${end} without its ${begin}`);
      if (count > 1 && type === 'container')
        complaints.push(`${type} ${who} has two events ${begin} and no ${end} between`);
    }
    for (const [who, count] of open) {
      if (count > 0) complaints.push(`${type} ${who} has an event ${begin} without its ${end}`);
    }
    return complaints;
  });
}
