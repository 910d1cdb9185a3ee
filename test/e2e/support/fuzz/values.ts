import fc, { type Arbitrary } from 'fast-check';

/** A value of JSON as a request carries it: numbers may be larger than a double. */
export type Json = null | boolean | number | bigint | string | Json[] | { [key: string]: Json };

/** JSON Schema, as far as the API's schemas use it. */
interface Shape {
  type?: string;
  properties?: Record<string, Shape>;
  patternProperties?: Record<string, Shape>;
  items?: Shape;
  anyOf?: Shape[];
  const?: string | number | boolean;
  enum?: string[];
}

/** Words that mean something somewhere: the right ones in the wrong place are what a list of rubbish never tries. */
const words = [
  ...[
    'busybox',
    'busybox:latest',
    'nosuch',
    'pipe',
    'over',
    'net',
    'vol',
    'container:pipe',
    'container:nosuch',
    'service:x',
  ],
  ...[
    'host',
    'none',
    'bridge',
    'private',
    'shareable',
    'default',
    'local',
    'json-file',
    'slirp4netns',
    'runc',
    'gwbridge',
  ],
  ...[
    'no',
    'always',
    'on-failure',
    'unless-stopped',
    'on-failure:3',
    'bind',
    'volume',
    'tmpfs',
    'image',
    'npipe',
    'cluster',
  ],
  ...['rprivate', 'rshared', 'rslave', 'z', 'ro', 'rw', 'ro,z', 'nocopy', 'consistent', 'true', 'false', 'sh', 'sleep'],
  ...[
    '1000',
    '0:0',
    'root',
    'nobody:nogroup',
    '-1',
    '4294967296',
    '8080',
    '8080/tcp',
    '80-90/udp',
    '53/sctp',
    '0/tcp',
    '70000/tcp',
  ],
  ...[
    '/tmp/in',
    '/tmp/in/../..',
    'relative/in',
    '/',
    '//',
    'vol:/in',
    'vol:/in:ro',
    'vol:/in:ro:rw',
    ':/in',
    '/tmp/in:',
    'vol:relative',
  ],
  ...[
    'a=b',
    '=b',
    'a=',
    'PATH=',
    'KEY',
    '10.0.0.1',
    '::1',
    'fe80::1%eth0',
    '300.1.1.1',
    '10.0.0.0/8',
    '10.0.0.0/33',
    'x:10.0.0.1',
  ],
  ...[
    '1g',
    '10MB',
    '-5m',
    '0.5',
    '1e3',
    '5s',
    '-1ns',
    '1h1m',
    'SIGKILL',
    'SIGNOPE',
    '9',
    '65',
    '02:42:ac:11:00:02',
    'zz:zz',
  ],
  ...[
    'all',
    'ALL',
    'CAP_SYS_ADMIN',
    'NET_ADMIN',
    'no-new-privileges',
    'seccomp=unconfined',
    'apparmor=x',
    'label=disable',
    'systempaths=unconfined',
  ],
  ...[
    'net.ipv4.ip_forward',
    'kernel.shmmax',
    'nofile',
    'nproc=1',
    'rwm',
    'c 1:3 r',
    'a *:* rwm',
    'ctrl-p,ctrl-q',
    'ctrl-',
    'default=',
  ],
  ...[
    'sha256:0000000000000000000000000000000000000000000000000000000000000000',
    'sha256:x',
    '0123456789ab',
    'linux/amd64',
    'linux/x',
  ],
  ...['NONE', 'CMD', 'CMD-SHELL', 'hyperv', '2026-01-01T00:00:00Z', '1764400000.000000001', '17644000000000000000'],
] as const;

const rubbish = [
  '',
  ' ',
  '.',
  '..',
  '-',
  '-rf',
  '%',
  '%s%n',
  '\0',
  'a\0b',
  '\n',
  'a\r\nX-Injected: 1',
  '\u202e',
  '\ud800',
  'ß',
  '\u{1f6a2}',
  '$(id)',
  '{{.}}',
  '"',
  "'",
  '\\',
  'x'.repeat(300),
  'x'.repeat(5000),
  'a/'.repeat(2000),
  ','.repeat(50),
  ':'.repeat(50),
  '__proto__',
  'constructor',
  'toString',
] as const;

export const texts: Arbitrary<string> = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(...words) },
  { weight: 2, arbitrary: fc.constantFrom(...rubbish) },
  { weight: 1, arbitrary: fc.string({ maxLength: 12 }) },
);

const numbers: Arbitrary<Json> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(0, 1, -1, 2, 5, 64, 100, 1024, 1000, 6_291_456, 67_108_864) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      ...[255, 256, 32767, 65536, 2 ** 31 - 1, 2 ** 31, 2 ** 32, -(2 ** 31), 2 ** 53, -(2 ** 53), 1.5, 1e300],
      ...[2n ** 63n - 1n, -(2n ** 63n), 2n ** 63n, 2n ** 64n, 10n ** 40n],
    ),
  },
  { weight: 1, arbitrary: fc.integer() },
);

/** Anything at all, in the place of what belongs there. */
const anything: Arbitrary<Json> = fc.oneof(
  fc.constantFrom<Json[]>(
    null,
    true,
    false,
    [],
    {},
    [null],
    [[]],
    { a: null },
    ['x', 1],
    { '': {} },
    { a: { b: [1] } },
  ),
  numbers,
  texts,
);

/** A value in the schema's shape, with odd values in it; now and then something else. */
export function oddValue(schema: object, depth = 0): Arbitrary<Json> {
  const right = rightOf(schema as Shape, depth);
  // A body that is wrong at its top is refused at once, and shows nothing.
  return fc.oneof({ weight: depth === 0 ? 30 : 14, arbitrary: right }, { weight: 1, arbitrary: anything });
}

function rightOf(shape: Shape, depth: number): Arbitrary<Json> {
  if (shape.anyOf) return fc.oneof(...shape.anyOf.map((inner) => rightOf(inner, depth)));
  if (shape.const !== undefined) return fc.constant(shape.const);
  if (shape.enum) return fc.oneof(fc.constantFrom(...shape.enum), texts);
  switch (shape.type) {
    case 'string':
      return texts;
    case 'boolean':
      return fc.boolean();
    case 'integer':
    case 'bigint':
    case 'number':
      return numbers;
    case 'null':
      return fc.constant(null);
    case 'array':
      return fc.array(oddValue(shape.items ?? {}, depth + 1), { maxLength: depth > 4 ? 1 : 3 });
    case 'object':
      return objectOf(shape, depth);
    default:
      return anything;
  }
}

/** A few members at a time: with all of them there would always be one that is refused. */
function objectOf({ properties, patternProperties }: Shape, depth: number): Arbitrary<Json> {
  const [other] = Object.values(patternProperties ?? {});
  if (other) return fc.dictionary(texts, oddValue(other, depth + 1), { maxKeys: 2 });
  const members = Object.entries(properties ?? {}).map(([name, inner]) =>
    fc.tuple(spelled(name), oddValue(inner, depth + 1)),
  );
  if (members.length === 0) return fc.constant({});
  return fc.array(fc.oneof(...members), { maxLength: 4 }).map((pairs) => Object.fromEntries(pairs));
}

/** Keys match in any case. */
const spelled = (name: string): Arbitrary<string> =>
  fc.oneof(
    { weight: 12, arbitrary: fc.constant(name) },
    { weight: 1, arbitrary: fc.constantFrom(name.toLowerCase(), name.toUpperCase()) },
  );

/** JSON with numbers as they are. */
export function written(value: Json): string {
  if (typeof value === 'bigint') return String(value);
  if (Array.isArray(value)) return `[${value.map(written).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    return `{${Object.entries(value).map(([key, inner]) => `${JSON.stringify(key)}:${written(inner)}`)}}`;
  }
  return JSON.stringify(value);
}
