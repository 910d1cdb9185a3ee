import { conflict, notFound, systemError, unavailable } from '@cleat/protocol/errors';
import { expect, test } from 'vitest';
import { saysExhausted, saysLostState, saysNoSuchVolume, saysUnknown } from './driver-prose.js';

/** The words of drivers in the field, with what we take them for. */
const texts: readonly [driver: string, text: string, ...meanings: ('unknown' | 'volume' | 'lost' | 'exhausted')[]][] = [
  // Volume drivers.
  ['moby local', 'no such volume', 'unknown', 'volume'],
  ['moby test driver', 'not found', 'unknown', 'volume'],
  ['sshfs and its many copies', 'volume data not found', 'unknown', 'volume'],
  ['sshfs', 'volume data is currently used by a container'],
  ['rclone', 'volume not found', 'unknown', 'volume'],
  ['rclone', 'volume is not mounted by this id', 'unknown'],
  ['rclone', 'volume is not mounted', 'unknown'],
  ['rclone', 'volume is in use'],
  ['rclone', 'volume filesystem is not ready'],
  ['rclone', 'exec: "fusermount3": executable file not found in $PATH'],
  ['a driver on Go', 'dial tcp: lookup nas on 127.0.0.11:53: no such host'],
  ['a driver on Go', 'unlinkat /mnt/data: device or resource busy'],
  ['a driver on Go', 'x509: certificate signed by unknown authority'],
  ['a driver on sh', 'sh: mount.nfs: command not found'],
  ['a driver over HTTP', 'the back end answered: 404', 'volume'],
  // Network drivers.
  ['moby bridge', 'network 4f2c does not exist', 'unknown', 'volume', 'lost'],
  ['moby bridge', 'invalid network id 4f2c', 'lost'],
  ['moby bridge', 'endpoint not found: 9a1b', 'unknown', 'volume'],
  ['moby overlay', 'could not find network with id 4f2c', 'unknown', 'volume', 'lost'],
  ['moby macvlan', 'network id "4f2c" not found', 'unknown', 'volume', 'lost'],
  ['moby ipvlan', 'could not find endpoint with id 9a1b', 'unknown', 'volume'],
  ['libnetwork, early', 'No endpoint exists', 'unknown'],
  ['libnetwork, early', 'No network exists', 'unknown', 'lost'],
  ['moby bridge', 'network 4f2c has active endpoints'],
  ['moby bridge', 'Bind for 0.0.0.0:80 failed: port is already allocated'],
  // IPAM drivers.
  ['moby default', 'no available addresses on this pool', 'exhausted'],
  ['moby default', 'requested address is out of range', 'exhausted'],
  ['libnetwork, early', 'no more addresses', 'exhausted'],
  ['moby default', 'cannot find address pool for poolID:LocalDefault/172.20.0.0/16', 'unknown', 'volume', 'lost'],
  ['moby default', 'invalid pool id: 172.20.0.0/16', 'lost'],
  ['moby default', 'Pool overlaps with other one on this address space'],
  ['moby default', 'Address already in use'],
  ['calico', 'IP releasing error, ip: 10.1.0.4: context deadline exceeded'],
];

test.each(texts)('%s: %s', (_, text, ...meanings) => {
  const error = systemError(text);
  expect({
    unknown: saysUnknown(error),
    volume: saysNoSuchVolume(error),
    lost: saysLostState(error),
    exhausted: saysExhausted(error),
  }).toEqual({
    unknown: meanings.includes('unknown'),
    volume: meanings.includes('volume'),
    lost: meanings.includes('lost'),
    exhausted: meanings.includes('exhausted'),
  });
});

test('a class says more than words', () => {
  expect(saysUnknown(notFound('gone'))).toBe(true);
  expect(saysNoSuchVolume(notFound('gone'))).toBe(true);
  expect(saysNoSuchVolume(unavailable('plugin not found'))).toBe(false);
  expect(saysNoSuchVolume(conflict('no such volume'))).toBe(false);
});
