import dns from 'dns-packet';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { addressFound, answersTo, answerWith, failure, fitted, nameFound, type Query, readQuery } from './message.js';

const question = fc
  .record({
    name: fc.stringMatching(/^([a-zA-Z0-9_-]{1,20}\.){0,4}[a-zA-Z0-9_-]{1,63}$/),
    type: fc.constantFrom<dns.RecordType>('A', 'AAAA', 'PTR', 'MX', 'SRV', 'TXT', 'NS'),
    id: fc.nat(0xffff),
  })
  .map(({ name, type, id }) => dns.encode({ type: 'query', id, questions: [{ name, type }] }));

/** A good message of which some bytes are others, cut off or followed by more. */
const damaged = fc
  .record({
    message: question,
    changes: fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 6 }),
    end: fc.option(fc.nat(60)),
    more: fc.uint8Array({ maxLength: 40 }),
  })
  .map(({ message, changes, end, more }) => {
    const bytes = Buffer.concat([message.subarray(0, end ?? message.length), more]);
    for (const [at, value] of changes) if (bytes.length > 0) bytes[at % bytes.length] = value;
    return bytes;
  });

function isQuery(read: ReturnType<typeof readQuery>): read is Query {
  return !('refused' in read);
}

test('any bytes that come are a question, an error of a few bytes, or nothing', () => {
  const anything = fc.oneof(
    fc.uint8Array({ maxLength: 600 }).map((bytes) => Buffer.from(bytes)),
    damaged,
  );
  fc.assert(
    fc.property(anything, (message) => {
      const read = readQuery(message);
      const answer = isQuery(read) ? answerWith(read, [addressFound('192.0.2.1')], 'datagram') : read.refused;
      if (!answer) return;
      // It can be read, belongs to what was asked, and a bad question does not make a big answer.
      expect(() => dns.decode(answer)).not.toThrow();
      expect(answer.readUInt16BE(0)).toBe(message.readUInt16BE(0));
      expect(answer.length).toBeLessThanOrEqual(Math.max(12, message.length) + 32);
      if (isQuery(read)) expect(answersTo(answer, read)).toBe(true);
    }),
    { numRuns: 2_000 },
  );
});

test('a good question is read as it was asked, and its answer fits', () => {
  const found = fc.array(fc.oneof(fc.ipV4(), fc.ipV6()), { maxLength: 200 });
  fc.assert(
    fc.property(question, found, fc.constantFrom('datagram', 'stream'), (message, addresses, transport) => {
      const read = readQuery(message);
      if (!isQuery(read)) throw new Error('a good question was refused');
      const [asked] = dns.decode(message).questions ?? [];
      expect(read.name).toBe(asked?.name.toLowerCase());
      const answer = answerWith(read, addresses.map(addressFound), transport);
      const { answers = [], flag_tc: isCut } = dns.decode(answer);
      expect(answer.length).toBeLessThanOrEqual(transport === 'datagram' ? 512 : 65_535);
      expect(isCut).toBe(answers.length < addresses.length);
    }),
  );
});

test('an answer of another server is cut to what is taken, and must belong to the question', () => {
  const read = readQuery(dns.encode({ type: 'query', id: 7, questions: [{ name: 'Long.test', type: 'A' }] }));
  if (!isQuery(read)) throw new Error('a good question was refused');
  const answers = Array.from(
    { length: 100 },
    (_, at) => ({ type: 'A', name: 'long.test', data: `10.0.0.${at}` }) as const,
  );
  const long = dns.encode({ type: 'response', id: 7, questions: [{ name: 'long.TEST', type: 'A' }], answers });
  expect(answersTo(long, read)).toBe(true);
  expect(dns.decode(fitted(long, read, 'datagram'))).toMatchObject({ flag_tc: true, answers: [] });
  expect(fitted(long, read, 'stream')).toBe(long);
  const other = dns.encode({ type: 'response', id: 7, questions: [{ name: 'long.test', type: 'AAAA' }] });
  expect(answersTo(other, read)).toBe(false);
  expect(answersTo(failure(read.message, 2), read)).toBe(true);
});

test('names that DNS cannot carry are no answer', () => {
  expect(nameFound('web.my network')).toBeDefined();
  expect(nameFound(`${'x'.repeat(64)}.net`)).toBeUndefined();
  expect(nameFound('web..net')).toBeUndefined();
  expect(nameFound(Array(5).fill('x'.repeat(60)).join('.'))).toBeUndefined();
});
