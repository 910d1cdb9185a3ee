import { expect, test } from 'vitest';
import { type ContainerId, isId, type NetworkId, type NetworkName, newId, shortId, type VolumeName } from './ids.js';

/** The lines that are marked here must not compile: the check of the tests' types fails where it does. */
test('a name is no ID, and what one kind has is not compared with another’s', () => {
  const network = newId<NetworkId>();
  const container = newId<ContainerId>();
  const name = 'bridge' as NetworkName;
  const volume = 'data' as VolumeName;
  // @ts-expect-error: a network's name compared with an ID
  expect(name === network).toBe(false);
  // @ts-expect-error: IDs of two kinds
  expect(network === container).toBe(false);
  // @ts-expect-error: what somebody wrote is looked up first
  const wanted: NetworkId = 'bridge';
  // @ts-expect-error: a driver's name, which is any text, in place of a volume's
  const taken: VolumeName = 'local';
  expect([wanted, taken, volume]).toEqual(['bridge', 'local', 'data']);
});

test('an abbreviated ID is never all decimal', () => {
  for (let at = 0; at < 2000; at++) {
    const id = newId();
    expect(isId(id) && !/^\d+$/.test(shortId(id))).toBe(true);
  }
  expect(shortId(`sha256:${'0123456789ab'.repeat(5)}0123`)).toBe('0123456789ab');
});
