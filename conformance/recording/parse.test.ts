import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bodyOf, bytesOf } from './body.js';
import { eventText, headText } from './format.js';
import { parseRecording, readRecording } from './parse.js';
import type { Body, RecordedEvent } from './recording.js';

const head = headText('p at /p.sock', '2026-01-02T03:04:05.000Z');
const request = { what: 'request', call: 1, atMs: 12, verb: 'POST', path: '/A.B' } as const;

const bodies: [string, Body | undefined][] = [
  ['nothing', undefined],
  ['JSON', { form: 'json', text: '{"a":9007199254740993,"a":"é"}' }],
  ['JSON of many lines', { form: 'json', text: '{\n  "a": [\n    1\n  ]\n}' }],
  ['text', { form: 'text', text: 'not found\n' }],
  ['text that looks like an event', { form: 'text', text: '> 2 0.1s POST /x\n\n# y' }],
  ['bytes', { form: 'base64', bytes: Buffer.from([0, 1, 255]) }],
  [
    'entries',
    {
      form: 'entries',
      entries: [
        { source: 'stdout', timeNano: 1_763_780_000_123_456_789n, line: Buffer.from('x'), partial: false },
        {
          ...{ source: 'stderr', timeNano: -1n, line: Buffer.from([255]), partial: true },
          ...{ partialLogMetadata: { last: true, id: 'i', ordinal: 2 }, attrs: [{ key: 'k', value: 'v' }] },
        },
      ],
    },
  ],
];

test.each(bodies)('a body is read as it was written: %s', (_, body) => {
  const events: RecordedEvent[] = [
    { ...request, accept: undefined, type: 'application/json', body },
    {
      ...{ what: 'answer', call: 1, afterMs: 3, status: 500, body, streams: false },
      type: 'text/plain; charset="utf-8"\u009b',
    },
    { ...request, call: 2, accept: 'application/vnd.docker.plugins.v1.2+json', type: undefined, body: undefined },
    { what: 'answer', call: 2, afterMs: 0, status: 200, type: undefined, body: undefined, streams: true },
    { what: 'more', call: 2, afterMs: 15, body },
    { what: 'end', call: 2, afterMs: 2, how: 'whole', why: undefined, body: undefined },
    { ...request, call: 3, accept: undefined, type: undefined, body: undefined },
    { what: 'end', call: 3, afterMs: 2, how: 'plugin', why: 'it said "no"', body },
  ];
  const text = head + events.map(eventText).join('');
  expect(text).not.toContain('\u009b');
  const read = parseRecording(text);
  expect(read).toEqual({ plugin: 'p at /p.sock', made: '2026-01-02T03:04:05.000Z', events });
});

test.each([
  ['a null', '\0'],
  ['an escape sequence', '\u001b[2J'],
  ['a turned direction of writing', 'a\u202eb'],
  ['a lone carriage return', 'a\rb'],
])('%s in a body commands no terminal, and comes back', (_, text) => {
  expect(bodyOf(Buffer.from(text))?.form).toBe('base64');
  expect(bytesOf(bodyOf(Buffer.from(text))).toString()).toBe(text);
  const inJson = bodyOf(Buffer.from(`{"a":"x\u202ey"}\r\n`));
  expect(inJson).toEqual({ form: 'json', text: '{"a":"x\\u202ey"}' });
});

test.each([
  ['', '1: this is no recording'],
  ['{"a":1}', '1: this is no recording'],
  ['cleat-recording 2\n', "1: a recording of version '2', where this program knows 1"],
  [`${head}what\n`, '5: expected a sign'],
  [`${head}? 1 0.1s\n`, '5: a line begins with'],
  [`${head}> 1 0.1s POST\n`, '5: expected a verb and a path'],
  [`${head}> 1 soon POST /x\n`, '5: expected a time such as 0.250s'],
  [`${head}> 1 0s POST /x\n  {"a":\n`, "5: its body is not JSON (unexpected EOF): fix it, or say 'text'"],
  [`${head}> 1 0s POST /x\n  ${'['.repeat(5_000)}\n`, '5: its body is not JSON (exceeded max depth'],
  [`${head}> 1 0s POST /x base64\n  ??\n`, '5: its body is not base64'],
  [`${head}> 1 0s POST /x entries\n  {"source":1}\n`, '5: json: cannot unmarshal number'],
  [`${head}> 1 0s POST /x\n> 1 0s POST /x\n`, '6: call 1 is asked twice'],
  [`${head}< 7 +0s 200\n`, '5: call 7 was not asked before this line'],
  [`${head}> 1 0s POST /x\n< 1 +0s 200\n< 1 +0s 200\n`, '7: call 1 is over'],
  [`${head}> 1 0s POST /x\n. 1 +0s base64\n`, '6: no answer of call 1 streams'],
  [`${head}> 1 0s POST /x\n< 1 +0s 200 stream\n< 1 +0s 200\n`, '7: call 1 is answered twice'],
  [`${head}> 1 0s POST /x\n< 1 +0s 20\n`, '6: expected an HTTP status'],
  [`${head}> 1 0s POST /x\n! 1 +0s nobody\n`, "6: expected 'caller' or 'plugin'"],
  [`${head}> 1 0s POST /x\n! 1 +0s plugin why="\\x"\n`, '6: '],
  [`${head}> 1 0s POST /ü\n`, '5: expected a verb and a path'],
  [`${head}> 1 0s POST /x type="a\\nb"\n`, '5: no header can say type='],
  [`${head}> 1 0s POST \u001b[2J\n`, '5: expected a verb and a path'],
])('what is wrong is told with its line: %j', (text, message) => {
  expect(() => parseRecording(text, 'f')).toThrow(`f:${message}`);
  expect(() => parseRecording(text, 'f')).not.toThrow('\u001b');
});

test('a recorder that was killed has lost only the line that it was writing', () => {
  const whole = `${head}> 1 0s POST /x\n  {}\n< 1 +0s 200\n  {"Mountpoint":"/m"}\n`;
  expect(parseRecording(whole).events).toHaveLength(2);
  for (let cut = whole.length - 1; cut > whole.indexOf('< 1 +0s 200') + 1; cut--) {
    const { events } = parseRecording(whole.slice(0, cut));
    expect(events[0]).toMatchObject({ what: 'request', body: { text: '{}' } });
  }
});

test('a file is read that is one, and not too large', () => {
  const directory = mkdtempSync('/tmp/cleat-recording-');
  try {
    const file = join(directory, 'r');
    expect(() => readRecording(file)).toThrow('there is no');
    expect(() => readRecording(directory)).toThrow('not a regular file');
    writeFileSync(file, head);
    expect(readRecording(file).events).toEqual([]);
    writeFileSync(file, '');
    expect(() => readRecording(file)).toThrow(`${file}:1: this is no recording`);
    writeFileSync(file, Buffer.alloc(65 * 1024 * 1024, 'x'));
    expect(() => readRecording(file)).toThrow('more than');
  } finally {
    rmSync(directory, { recursive: true });
  }
});
