import { expect, test } from 'vitest';
import { announce, tellLate } from './announce.js';
import type { Container } from './container.js';
import type { ContainerRecord } from './record.js';

/** An engine over a journal and a record that outlive it. */
function engine(journal: string[], saved: { record: string }, killedBeforeEvent = false) {
  const record = JSON.parse(saved.record) as ContainerRecord;
  const container = {
    record,
    note() {
      saved.record = JSON.stringify(record);
    },
  } as Container;
  const context = {
    events: {
      next: journal.length + 1,
      holds: (event: number) => event <= journal.length,
      together: <T>(work: () => T) => work(),
    },
    emit(_: Container, action: string, attributes: Record<string, string> = {}) {
      if (killedBeforeEvent) throw new Error('killed');
      journal.push(`${action} ${JSON.stringify(attributes)}`);
      context.events.next++;
    },
  };
  return { context, container };
}

test('an event whose engine was killed before it told it is told by the next one, once', () => {
  const journal = ['create {}'];
  const saved = { record: JSON.stringify({ state: {} }) };
  const first = engine(journal, saved, true);
  expect(() => announce(first.context, first.container, 'start')).toThrow('killed');
  for (let restart = 0; restart < 3; restart++) {
    const { context, container } = engine(journal, saved);
    tellLate(context, container);
    expect(journal).toEqual(['create {}', 'start {}']);
  }
  const next = engine(journal, saved);
  announce(next.context, next.container, 'die', { exitCode: '1' });
  const last = engine(journal, saved);
  tellLate(last.context, last.container);
  expect(journal).toEqual(['create {}', 'start {}', 'die {"exitCode":"1"}']);
});
