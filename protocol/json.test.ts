import { describe, expect, it } from 'vitest';
import { ContainerCreateRequest } from './api/container.js';
import { decode, parseJson, stringify } from './json.js';
import Type from './schema.js';

describe('parseJson and stringify', () => {
  it('carries int64 values exactly both ways', () => {
    const text =
      '{"timeNano":1763780000123456789,"s":"id 1763780000123456789 \\" 12345678901234567890","f":0.12345678901234567}';
    const value = parseJson(text) as { timeNano: bigint; s: string };
    expect(value.timeNano).toBe(1763780000123456789n);
    expect(value.s).toBe('id 1763780000123456789 " 12345678901234567890');
    expect(stringify({ a: [1n, { b: -9223372036854775808n }], s: '1n' })).toBe(
      '{"a":[1,{"b":-9223372036854775808}],"s":"1n"}',
    );
  });

  it('rejects what is not JSON', () => {
    expect(() => parseJson('{"a":12345678901234567890')).toThrow(SyntaxError);
    expect(() => parseJson('{"a":01234567890123456789}')).toThrow(SyntaxError);
  });

  it('is not led to its knees: deep nesting, endless digits, and strings of megabytes beside a large number', () => {
    expect(() => parseJson('['.repeat(1_001) + ']'.repeat(1_001))).toThrow('max depth');
    expect(() => parseJson(`{"a":"[[","b":${'['.repeat(999)}${']'.repeat(999)}}`)).not.toThrow();
    expect(parseJson(`{"n":${'9'.repeat(100_000)}}`)).toEqual({ n: Number.POSITIVE_INFINITY });
    const long = 'x\\n'.repeat(5_000_000);
    expect(parseJson(`{"s":"${long}","n":1763780000123456789}`)).toMatchObject({ n: 1763780000123456789n });
  });

  it('does not hide a cycle', () => {
    const cycle: { self?: unknown } = {};
    cycle.self = cycle;
    expect(() => stringify(cycle)).toThrow(TypeError);
  });
});

describe('decode', () => {
  const schema = Type.Object({
    Image: Type.String(),
    Cmd: Type.Optional(Type.Union([Type.Array(Type.String()), Type.String(), Type.Null()])),
    Labels: Type.Optional(Type.Union([Type.Record(Type.String(), Type.String()), Type.Null()])),
    Memory: Type.Optional(Type.Integer()),
    Exact: Type.Optional(Type.BigInt()),
    Tty: Type.Optional(Type.Boolean()),
  });

  it('folds keys, lets the last duplicate win and drops what it does not know', () => {
    expect(decode(schema, parseJson('{"image":"a","IMAGE":"b","ſomething":1,"tTy":true}'))).toEqual({
      Image: 'b',
      Tty: true,
    });
  });

  it('treats null as absent and fills required members', () => {
    expect(decode(schema, parseJson('{"Image":null,"Labels":null,"Memory":null}'))).toEqual({ Image: '' });
    expect(decode(schema, null)).toEqual({ Image: '' });
    // As in Go, null does not unset a plain string that was set before, but does unset a map.
    expect(decode(schema, parseJson('{"Image":"a","image":null,"Labels":{"a":"b"},"labels":null}'))).toEqual({
      Image: 'a',
    });
  });

  it('takes a string for a list of one, and null for an empty label', () => {
    expect(decode(schema, { Image: 'i', Cmd: 'true' }).Cmd).toEqual(['true']);
    expect(decode(schema, { Image: 'i', Labels: { a: null, b: 'c' } }).Labels).toEqual({ a: '', b: 'c' });
  });

  it('keeps a label called __proto__ a label', () => {
    const labels = decode(schema, parseJson('{"Labels":{"__proto__":"x"}}')).Labels ?? {};
    expect(Object.entries(labels)).toEqual([['__proto__', 'x']]);
  });

  it('keeps integers within int64', () => {
    const { Memory, Exact } = decode(schema, parseJson('{"Memory":9223372036854775807,"Exact":9223372036854775807}'));
    expect(BigInt(JSON.stringify(Memory))).toBeLessThan(2n ** 63n);
    expect(Exact).toBe(9223372036854775807n);
  });

  it.each([
    ['{"Memory":"1"}', /cannot unmarshal string into Go struct field X\.Memory of type int64/],
    ['{"Memory":1.5}', /cannot unmarshal number 1\.5 into Go struct field X\.Memory of type int64/],
    ['{"Memory":9223372036854775808}', /cannot unmarshal number 9223372036854775808/],
    ['{"Image":["a"]}', /cannot unmarshal array into Go struct field X\.Image of type string/],
    ['{"Labels":{"a":1}}', /cannot unmarshal number into Go struct field X\.Labels\.a of type string/],
    ['{"Cmd":5}', /cannot unmarshal number into Go struct field X\.Cmd/],
    ['{"Tty":"true"}', /cannot unmarshal string into Go struct field X\.Tty of type bool/],
    ['{"Memory":1e3}', /cannot unmarshal number 1e3 into Go struct field X\.Memory of type int64/],
    ['{"Memory":1.0,"Image":"1.0"}', /cannot unmarshal number 1\.0 into/],
    ['{"Image":1.5}', /cannot unmarshal number into Go struct field X\.Image of type string/],
    ['[]', /cannot unmarshal array into Go value of type X/],
  ])('refuses %s', (text, message) => {
    expect(() => decode(schema, parseJson(text, { written: true }), 'X')).toThrow(message);
  });

  it('keeps numbers with a fraction where the schema has them, and where it says nothing', () => {
    const value = parseJson('{"n":1.5,"o":[-2.5E-3],"s":"1.5\\"2.5"}', { written: true });
    const { n, ...rest } = decode(Type.Object({ n: Type.Number(), o: Type.Unknown(), s: Type.String() }), value);
    expect([n, JSON.stringify(rest)]).toEqual([1.5, '{"o":[-0.0025],"s":"1.5\\"2.5"}']);
    expect(() => parseJson('{"n":1.}', { written: true })).toThrow('after decimal point');
  });

  it('decodes a real request', () => {
    const body = parseJson(
      '{"image":"busybox","Entrypoint":"sh","ExposedPorts":{"80/tcp":{"x":1}},"hostconfig":{"PortBindings":{"80/tcp":[{"HostPort":"80"}],"81/tcp":null},"Memory":null},"NetworkingConfig":{"EndpointsConfig":{"n":null}}}',
    );
    expect(decode(ContainerCreateRequest, body)).toEqual({
      Image: 'busybox',
      Entrypoint: ['sh'],
      ExposedPorts: { '80/tcp': {} },
      HostConfig: { PortBindings: { '80/tcp': [{ HostPort: '80' }], '81/tcp': null } },
      NetworkingConfig: { EndpointsConfig: { n: null } },
    });
  });
});
