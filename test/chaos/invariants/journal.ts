/** An event as `GET /events` has it. */
export interface JournalEvent {
  readonly Type: string;
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
  readonly timeNano: number;
}

/** What comes once for each of the other, when everything is over. */
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
 * @returns a sentence for each that is not
 */
export function journalComplaints(events: readonly JournalEvent[]): string[] {
  return pairs.flatMap(([type, begin, end]) => {
    const open = new Map<string, number>();
    const complaints: string[] = [];
    for (const { Type, Action, Actor } of events) {
      if (Type !== type || (Action !== begin && Action !== end)) continue;
      const who = [Actor.ID, Actor.Attributes.container].filter(Boolean).join(' of ');
      const count = (open.get(who) ?? 0) + (Action === begin ? 1 : -1);
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
