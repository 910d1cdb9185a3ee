import { hostname } from 'node:os';
import { expect, test } from 'vitest';
import { Answer } from '../answers.js';
import { readNames } from './read.js';

const said = new Answer('wide', 'NetworkDriver.WatchNames');
const pools = ['10.9.0.0/24', 'fd00:9::/64'];
const read = (Endpoints: unknown) => readNames(said, JSON.stringify({ Endpoints }), pools);
const named = (Names: string[], Addresses = ['10.9.0.2']) => ({ Names, Addresses });

test('names and addresses are taken as they are looked up', () => {
  expect(read([])).toEqual({ endpoints: [] });
  const all = ['web', 'Shop.web_1', 'x'.repeat(63), '1a2b'];
  expect(read([named([...all, 'web'], ['10.9.0.2', 'FD00:9:0::2', 'fd00:9::2'])])).toEqual({
    endpoints: [{ names: all, addresses: ['10.9.0.2', 'fd00:9::2'] }],
  });
});

test.each([
  ['a b', 'a name that is none of DNS, "a b"'],
  ['', 'a name that is none of DNS, ""'],
  ['-x', 'a name that is none of DNS, "-x"'],
  ['x..y', 'a name that is none of DNS, "x..y"'],
  ['x'.repeat(64), `a name that is none of DNS, "${'x'.repeat(64)}"`],
  [`${'x.'.repeat(200)}x`, 'a name that is none of DNS,'],
  ['\u001b[2J', 'a name that is none of DNS, "\\\\u001b[2J"'],
  ['LocalHost', 'a name that is not its own, "LocalHost"'],
  [hostname(), `a name that is not its own, "${hostname()}"`],
])('the name %j is left out, and the others are not', (odd, complaint) => {
  const { endpoints, complaint: told } = read([named([odd, 'web']), named([odd])]);
  expect(endpoints).toEqual([{ names: ['web'], addresses: ['10.9.0.2'] }]);
  expect(told).toContain(complaint);
});

test.each([
  ['10.9.1.2', 'an address that is not of the network, "10.9.1.2"'],
  ['127.0.0.1', 'an address that is not of the network,'],
  ['fd00:8::1', 'an address that is not of the network,'],
  ['10.9.0.2/24', 'an address that is none, "10.9.0.2/24"'],
  ['web', 'an address that is none, "web"'],
])('the address %j is left out, and the others are not', (odd, complaint) => {
  const { endpoints, complaint: told } = read([named(['web'], [odd, '10.9.0.3']), named(['far'], [odd])]);
  expect(endpoints).toEqual([{ names: ['web'], addresses: ['10.9.0.3'] }]);
  expect(told).toContain(complaint);
});

test.each(['', 'x', '[]', '{}', '{"Endpoints":{}}', '{"Endpoints":[{"Names":"web"}]}', '{"Err":"not now"}', 'null'])(
  'the line %j is refused as a whole',
  (line) => {
    expect(() => readNames(said, line, pools)).toThrow(
      'plugin "wide" answered NetworkDriver.WatchNames with a line that is none of the protocol',
    );
  },
);

test('more than an engine takes is refused as a whole', () => {
  expect(() => read(Array.from({ length: 4097 }, () => named(['a'])))).toThrow('4097 endpoints, of which at most 4096');
  expect(() => read([named(Array.from({ length: 65 }, (_, at) => `n${at}`))])).toThrow('65 names of an endpoint');
  expect(() => read([named(['a'], Array(17).fill('10.9.0.2'))])).toThrow('17 addresses of an endpoint');
});
