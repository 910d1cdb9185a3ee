import type { Container } from '../container.js';
import type { Room } from '../room.js';

type Teller = Pick<Room, 'emit'> & { readonly events: Pick<Room['events'], 'last'> };

/**
 * Records a container's new state, and tells of it by an event. The record says which event of the journal that is going
 * to be: so the next engine knows whether it was told, also when this one is killed between both.
 * @param at the event's time, where that is not now
 */
export function announce(
  room: Teller,
  container: Container,
  action: 'start' | 'die',
  attributes: Record<string, string> = {},
  at?: Date,
): void {
  const moment = at ?? new Date();
  container.record.state.told = { event: room.events.last + 1, action, attributes, at: moment.toISOString() };
  container.note();
  room.emit(container, action, attributes, at);
}

/** Tells what an engine that was killed had recorded and not told yet. Before anything else is told. */
export function tellLate(room: Teller, container: Container): void {
  const { told } = container.record.state;
  if (told && told.event > room.events.last) room.emit(container, told.action, told.attributes, new Date(told.at));
}
