import type { Events } from '../../events/service.js';
import type { Container } from './container.js';

/** The parts of a container that its events tell of. */
export type Told = Pick<Container, 'id' | 'record'>;

/** The parts for publishing events of containers. */
export interface Announcer {
  readonly events: Pick<Events, 'next' | 'holds' | 'together'>;
  /** Publishes a container event with the attributes that Docker's carry: labels, image, name, and `more`. */
  emit(container: Told, action: string, more?: Record<string, string>, at?: Date): void;
}

/**
 * Records a container's new state, and tells of it by an event. The record says which event of the journal that is
 * going to be: so the next engine knows whether it was told, also when this one is killed between both.
 * @param at the event's time, where that is not now
 */
export function announce(
  context: Announcer,
  container: Container,
  action: 'start' | 'die',
  attributes: Record<string, string> = {},
  at?: Date,
): void {
  const moment = at ?? new Date();
  container.record.state.told = { event: context.events.next, action, attributes, at: moment.toISOString() };
  container.note();
  context.emit(container, action, attributes, at);
}

/** Tells what an engine that was killed had recorded and not told yet. Before anything else is told. */
export function tellLate(context: Announcer, container: Container): void {
  const { told } = container.record.state;
  if (!told || context.events.holds(told.event)) return;
  // The number that it was going to have is gone for good.
  announce(context, container, told.action, told.attributes, new Date(told.at));
}
