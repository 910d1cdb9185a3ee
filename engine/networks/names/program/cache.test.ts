import dns from 'dns-packet';
import { expect, test } from 'vitest';
import { AnswerCache, cacheKey } from './cache.js';
import { type Query, readQuery } from './message.js';

let now = 0;
const cache = (bytes = 100_000) => new AnswerCache(bytes, () => now);

function asked(name: string, type: dns.RecordType = 'A', more: Partial<dns.Packet> = {}): Query {
  const id = Math.trunc(Math.random() * 65_536);
  const query = readQuery(dns.encode({ type: 'query', id, questions: [{ name, type }], ...more }));
  if ('refused' in query) throw new Error('that is a question');
  return query;
}

const answered = (query: Query, more: Partial<dns.Packet>): Buffer =>
  dns.encode({ type: 'response', id: 1, questions: dns.decode(query.message).questions, ...more });
const a = (name: string, ttl: number, data = '192.0.2.1'): dns.Answer => ({ type: 'A', name, ttl, data });
const soa = (ttl: number, minimum: number): dns.Answer => ({
  type: 'SOA',
  name: 'test',
  ttl,
  data: { mname: 'm.test', rname: 'r.test', serial: 1, refresh: 2, retry: 3, expire: 4, minimum },
});
const option = (more: object = {}): dns.OptAnswer =>
  ({
    name: '.',
    type: 'OPT',
    udpPayloadSize: 1232,
    extendedRcode: 0,
    ednsVersion: 0,
    flags: 0,
    flag_do: false,
    options: [],
    ...more,
  }) as dns.OptAnswer;

test('an answer is given again with what is left of its time, as it is asked for then', () => {
  const kept = cache();
  const query = asked('www.test');
  kept.put('k', answered(query, { answers: [a('www.test', 60), a('www.test', 30)], additionals: [option()] }));
  now += 10_900;
  const again = asked('WWW.Test');
  const found = kept.get('k', again);
  expect(found && dns.decode(found)).toMatchObject({
    id: dns.decode(again.message).id,
    questions: [{ name: 'WWW.Test' }],
    answers: [{ ttl: 50 }, { ttl: 20 }],
    additionals: [{ type: 'OPT', flag_do: false }],
  });
  expect(kept.get('other', again)).toBeUndefined();
  now += 19_200;
  expect(kept.get('k', again)).toBeUndefined();
  expect(kept.bytes).toBe(0);
});

test('how long an answer holds', () => {
  const holds = (more: Partial<dns.Packet>, change: (answer: Buffer) => void = () => {}): number => {
    const kept = cache();
    const query = asked('www.test');
    const answer = answered(query, more);
    change(answer);
    kept.put('k', answer);
    const from = now;
    while (kept.get('k', query) && now - from < 10_000_000) now += 1000;
    return (now - from) / 1000;
  };
  const noName = 3;
  expect(holds({ answers: [a('www.test', 5)] })).toBe(5);
  expect(holds({ answers: [a('www.test', 0)] })).toBe(0);
  expect(holds({ answers: [a('www.test', 1_000_000)] })).toBe(3600);
  expect(holds({ answers: [a('www.test', 50)], additionals: [a('more.test', 7)] })).toBe(7);
  // Nothing is there: as long as the zone says, if it says so.
  expect(holds({ flags: noName, authorities: [soa(20, 9)] })).toBe(9);
  expect(holds({ flags: noName, authorities: [soa(4, 9)] })).toBe(4);
  expect(holds({ authorities: [soa(20, 9)] })).toBe(9);
  expect(holds({ authorities: [soa(100_000, 100_000)] })).toBe(900);
  expect(holds({ flags: noName })).toBe(0);
  const alias: dns.Answer = { type: 'CNAME', name: 'www.test', ttl: 50, data: 'gone.test' };
  expect(holds({ answers: [alias] })).toBe(0);
  expect(holds({ answers: [alias], authorities: [soa(20, 9)] })).toBe(9);
  expect(holds({ answers: [alias, a('gone.test', 30)] })).toBe(30);
  // Answers that are not for everybody.
  expect(holds({ flags: 2, answers: [a('www.test', 5)] })).toBe(0);
  expect(holds({ flags: dns.TRUNCATED_RESPONSE, answers: [a('www.test', 5)] })).toBe(0);
  const cookie = option({ options: [{ code: 10, data: Buffer.alloc(8) }] });
  expect(holds({ answers: [a('www.test', 5)], additionals: [cookie] })).toBe(0);
  // Nothing is made of what is broken.
  expect(holds({ answers: [a('www.test', 5)] }, (answer) => answer.writeUInt16BE(9, 6))).toBe(0);
  expect(holds({ answers: [a('www.test', 5)] }, (answer) => answer.writeUInt16BE(99, answer.length - 6))).toBe(0);
});

test('the key holds all that decides on an answer, and none is for a question that tells of its client', () => {
  const key = (more: Partial<dns.Packet> = {}, name = 'www.test', type: dns.RecordType = 'A') =>
    cacheKey(asked(name, type, more));
  expect(key({}, 'WWW.test')).toBe(key());
  const others = [
    key(),
    key({}, 'www.test', 'AAAA'),
    key({}, 'other.test'),
    key({ flags: dns.RECURSION_DESIRED }),
    key({ flags: dns.CHECKING_DISABLED }),
    key({ additionals: [option()] }),
    key({ additionals: [option({ flag_do: true, flags: dns.DNSSEC_OK })] }),
  ];
  expect(new Set(others).size).toBe(others.length);
  // How much the client takes decides on nothing: an answer is cut for each.
  expect(key({ additionals: [option({ udpPayloadSize: 512 })] })).toBe(key({ additionals: [option()] }));
  expect(key({ additionals: [option({ options: [{ code: 10, data: Buffer.alloc(8) }] })] })).toBeUndefined();
});

test('it has a bound: what was not used for longest goes first', () => {
  const kept = cache(10_000);
  const query = asked('www.test');
  for (let at = 0; at < 100; at++) {
    kept.put(`k${at}`, answered(query, { answers: [a('www.test', 60)] }));
    expect(kept.get('k0', query)).toBeDefined();
  }
  expect(kept.bytes).toBeLessThanOrEqual(10_000);
  expect(kept.get('k1', query)).toBeUndefined();
  expect(kept.get('k99', query)).toBeDefined();
});
