import { expect, test } from 'vitest';
import type { Exec } from './exec.js';
import { KeptExecs } from './kept.js';

const execOf = (id: string, state: Exec['state'], text = ''): Exec =>
  ({ id, state, request: { Cmd: [text] } }) as Partial<Exec> as Exec;

test('the oldest that do not run go first, by number and by bytes', () => {
  const kept = new KeptExecs({ count: 3, bytes: 10_000 });
  const gone: string[] = [];
  const add = (exec: Exec) => kept.add(exec, ({ id }) => gone.push(id));
  add(execOf('running', 'running'));
  for (const id of ['a', 'b', 'c', 'd']) add(execOf(id, 'created'));
  expect(gone).toEqual(['a', 'b']);
  expect(kept.get('b')).toBeUndefined();
  expect(kept.get('running')).toBeDefined();
  add(execOf('large', 'exited', 'x'.repeat(6500)));
  expect(gone).toEqual(['a', 'b', 'c']);
  add(execOf('other', 'created', 'x'.repeat(5000)));
  expect(gone).toEqual(['a', 'b', 'c', 'd', 'large']);
  // The new one stays, however large; and what was deleted counts no more.
  add(execOf('huge', 'created', 'x'.repeat(20_000)));
  expect(gone.at(-1)).toBe('other');
  kept.delete('huge');
  add(execOf('last', 'created', 'x'.repeat(5000)));
  expect(gone).toHaveLength(6);
  expect(kept.get('last')).toBeDefined();
});
