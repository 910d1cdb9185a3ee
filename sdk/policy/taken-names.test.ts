import type { Caller } from '@cleat/protocol/caller';
import { expect, test } from 'vitest';
import type { FoundObject, Objects } from '../authz/objects.js';
import { decide } from './decide.js';
import { policyOf } from './policy.js';
import { messageFor } from './policy-test.js';

/** Names and addresses by which a caller could take something from others, or from the host. */
const alice: Caller = { Method: 'TLS', User: 'alice', Names: [] };
const mine = { 'com.cleat.owner': 'user:alice' };
const known: Record<string, Partial<FoundObject>> = {
  'image/own': { labels: mine, names: ['own:latest'] },
  'volume/others': { labels: {}, driver: 'local', options: { o: 'password=secret' } },
  'volume/own': { labels: mine, driver: 'local', options: {} },
};
const objects: Objects = {
  async find(type, name) {
    const found = known[`${type}/${name}`];
    return found && { id: `ID of ${name}`, labels: {}, names: [name], ...found };
  },
};

async function ask(within: object, request: string, body?: object) {
  const policy = policyOf({ rules: [{ callers: 'user:*', allow: '*', within }] }, () => undefined);
  const [method = '', uri = ''] = request.split(' ');
  const text = body === undefined ? '' : JSON.stringify(body);
  return await decide(policy, messageFor({ method, uri, body: text, caller: alice }), { objects });
}

const labels = encodeURIComponent(JSON.stringify(mine));
const own = { owner: 'self', images: ['busybox', 'base:*'], networks: 'bridge' };

test.each([
  'POST /images/own/tag?repo=base&tag=99',
  'POST /commit?container=own&repo=docker.io/library/base&tag=7',
  `POST /build?t=base:7&labels=${labels}`,
  `POST /build?t=fresh&t=busybox&labels=${labels}`,
])('a name that others run images by is not given to an own one: %s', async (request) => {
  known['container/own'] = { labels: mine };
  const { allow, reason } = await ask(own, request);
  expect({ allow, reason }).toEqual({
    allow: false,
    reason: expect.stringContaining('is granted to use, not to give'),
  });
  expect(await ask({ ...own, 'image-names': ['*'] }, request)).toMatchObject({ allow: true });
  // A caller that may use any image was bound to no names.
  expect(await ask({ ...own, images: 'any' }, request)).toMatchObject({ allow: true });
});

test('a volume of that name is told like any other: it must be an own one', async () => {
  const make = (Name: string) => ask(own, 'POST /volumes/create', { Name, Labels: mine });
  expect(await make('others')).toMatchObject({ allow: false, reason: expect.stringContaining('volume others has no') });
  expect(await make('own')).toMatchObject({ allow: true });
  expect(await make('fresh')).toMatchObject({ allow: true });
  expect(await ask(own, 'POST /volumes/create', { Labels: mine })).toMatchObject({ allow: true });
});

test('the addresses of a network are the host’s to give', async () => {
  const make = (within: object, ...Subnets: string[]) =>
    ask(within, 'POST /networks/create', { Name: 'n', IPAM: { Config: Subnets.map((Subnet) => ({ Subnet })) } });
  expect(await make({}, '8.8.8.0/24')).toMatchObject({
    allow: false,
    reason: 'subnets "8.8.8.0/24" is not granted',
  });
  expect(await make({})).toMatchObject({ allow: true });
  expect(await make({ subnets: 'any' }, '8.8.8.0/24')).toMatchObject({ allow: true });
  const some = { subnets: ['10.66.0.0/16', 'fd66::/48'] };
  expect(await make(some, '10.66.3.0/24', 'fd66:0:0:1::/64')).toMatchObject({ allow: true });
  for (const beyond of ['10.0.0.0/8', '10.67.0.0/24', '10.66.0.0/15', 'fd66::/32', 'x', '10.66.0.0']) {
    expect(await make(some, '10.66.3.0/24', beyond), beyond).toMatchObject({ allow: false });
  }
  expect(() => policyOf({ rules: [{ callers: 'any', allow: '*', within: { subnets: '10.66.*' } }] })).toThrow(
    'rules[0].within.subnets: 10.66.* is no subnet: write it as 10.66.0.0/16',
  );
});
