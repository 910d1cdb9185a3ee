import { Turns } from '@cleat/protocol/async/turns';

/**
 * Calls for one thing, a volume or an endpoint, run one after the other; a dead server behind one holds up no other.
 * @example
 * const inTurn = turns();
 * Mount: ({ Name }) => inTurn(Name, () => mount(Name)),
 */
export function turns() {
  const all = new Turns();
  return <T>(name: string, work: () => T | Promise<T>): Promise<T> => all.run(name, work);
}
