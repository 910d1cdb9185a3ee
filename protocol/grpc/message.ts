import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/**
 * One field of a protobuf message: its number and how its value goes over the wire. What a field is not told stays its
 * default, as proto3 has it; a field of an unexpected wire type is skipped like an unknown one.
 */
export interface Field<T> {
  readonly number: number;
  readonly wireType: WireType;
  /** The value of a field that did not come. A function: each message gets its own. */
  absent(): T;
  /** Reads one occurrence; `before` is the value so far. */
  read(reader: BinaryReader, before: T): T;
  /** Writes nothing for the default. */
  write(writer: BinaryWriter, value: T): void;
}

/** How a value without parts goes over the wire. */
export interface Scalar<T> {
  readonly wireType: WireType;
  readonly zero: T;
  read(reader: BinaryReader): T;
  write(writer: BinaryWriter, value: T): void;
}

function scalar<T>(of: Scalar<T>): (number: number) => Field<T> & { readonly scalar: Scalar<T> } {
  return (number) => ({
    number,
    wireType: of.wireType,
    scalar: of,
    absent: () => of.zero,
    read: (reader) => of.read(reader),
    write(writer, value) {
      if (value === of.zero) return;
      of.write(writer.tag(number, of.wireType), value);
    },
  });
}

export const string = scalar<string>({
  wireType: WireType.LengthDelimited,
  zero: '',
  read: (reader) => reader.string(true),
  write: (writer, value) => writer.string(value),
});

const noBytes = new Uint8Array(0);

/** A copy of a small value, so that the large buffer in which it came is not kept with it. */
function unpinned(value: Uint8Array): Uint8Array {
  return value.length * 4 < value.buffer.byteLength ? new Uint8Array(value) : value;
}

/** Elements of one list or map: an empty one is two bytes on the wire, and hundreds here. */
const maxElements = 100_000;

function checkRoom(elements: number): void {
  if (elements >= maxElements) throw new RangeError(`a list has more than ${maxElements} elements`);
}

export const bytes = scalar<Uint8Array>({
  wireType: WireType.LengthDelimited,
  zero: noBytes,
  read: (reader) => unpinned(reader.bytes()),
  write: (writer, value) => writer.bytes(value),
});

export const bool = scalar<boolean>({
  wireType: WireType.Varint,
  zero: false,
  read: (reader) => reader.bool(),
  write: (writer, value) => writer.bool(value),
});

export const uint32 = scalar<number>({
  wireType: WireType.Varint,
  zero: 0,
  read: (reader) => reader.uint32(),
  write: (writer, value) => writer.uint32(value),
});

/** Also for enums. */
export const int32 = scalar<number>({
  wireType: WireType.Varint,
  zero: 0,
  read: (reader) => reader.int32(),
  write: (writer, value) => writer.int32(value),
});

/** For times in nanoseconds, which no number holds exactly. */
export const int64 = scalar<bigint>({
  wireType: WireType.Varint,
  zero: 0n,
  read: (reader) => BigInt(reader.int64()),
  write: (writer, value) => writer.int64(value),
});

/** An int64 that counts something: exact up to 2^53. */
export const count = scalar<number>({
  wireType: WireType.Varint,
  zero: 0,
  read: (reader) => Number(reader.int64()),
  write: (writer, value) => writer.int64(Math.trunc(value)),
});

type Fields = Readonly<Record<string, Field<unknown>>>;
type ValueOf<F> = F extends Field<infer T> ? T : never;
/** The result of decoding. */
export type Decoded<F> = { -readonly [K in keyof F]: ValueOf<F[K]> };

/** A table of fields that reads and writes a message. */
export interface Message<T> {
  decode(data: Uint8Array): T;
  encode(value: Partial<T>): Uint8Array;
  /** For tables that hold this one. */
  readInto(reader: BinaryReader, end: number, value?: T): T;
  writeTo(writer: BinaryWriter, value: Partial<T>): void;
  empty(): T;
}

export type MessageOf<M> = M extends Message<infer T> ? T : never;

/** A message from its table: `message({ name: string(1), … })`. */
export function message<F extends Fields>(fields: F): Message<Decoded<F>> {
  type T = Decoded<F>;
  const entries = Object.entries(fields) as [keyof F & string, Field<unknown>][];
  const byNumber = new Map(entries.map(([name, field]) => [field.number, { name, field }]));
  const empty = (): T => Object.fromEntries(entries.map(([name, field]) => [name, field.absent()])) as T;
  const table: Message<T> = {
    empty,
    decode(data) {
      const reader = new BinaryReader(data);
      return table.readInto(reader, reader.len);
    },
    readInto(reader, end, value = empty()) {
      const target = value as Record<string, unknown>;
      while (reader.pos < end) {
        const [number, wireType] = reader.tag();
        const known = byNumber.get(number);
        if (!known || known.field.wireType !== wireType) reader.skip(wireType, number);
        else target[known.name] = known.field.read(reader, target[known.name]);
      }
      if (reader.pos !== end) throw new RangeError('a message is longer than it says');
      return value;
    },
    encode(value) {
      const writer = new BinaryWriter();
      table.writeTo(writer, value);
      return writer.finish();
    },
    writeTo(writer, value) {
      for (const [name, field] of entries) {
        const one = (value as Record<string, unknown>)[name];
        if (one !== undefined) field.write(writer, one);
      }
    },
  };
  return table;
}

function readMessage<T>(reader: BinaryReader, of: Message<T>, before?: T): T {
  const length = reader.uint32();
  const end = reader.pos + length;
  if (end > reader.len) throw new RangeError('a message is longer than what came');
  return of.readInto(reader, end, before);
}

/** A message within another; undefined when it did not come. */
export function nested<T>(number: number, of: Message<T>): Field<Partial<T> | undefined> {
  return {
    number,
    wireType: WireType.LengthDelimited,
    absent: () => undefined,
    read: (reader, before) => readMessage(reader, of, before && { ...of.empty(), ...before }),
    write(writer, value) {
      if (value === undefined) return;
      writer.tag(number, WireType.LengthDelimited).fork();
      of.writeTo(writer, value);
      writer.join();
    },
  };
}

/** Messages in the order in which they came. */
export function list<T>(number: number, of: Message<T>): Field<Partial<T>[]> {
  const one = nested(number, of);
  return {
    number,
    wireType: one.wireType,
    absent: () => [],
    read(reader, before) {
      checkRoom(before.length);
      before.push(readMessage(reader, of));
      return before;
    },
    write(writer, values) {
      for (const value of values) one.write(writer, value);
    },
  };
}

/** Strings or byte strings in the order in which they came. */
export function repeated<T>(field: Field<T> & { readonly scalar: Scalar<T> }): Field<T[]> {
  return {
    number: field.number,
    wireType: field.wireType,
    absent: () => [],
    read(reader, before) {
      checkRoom(before.length);
      before.push(field.scalar.read(reader));
      return before;
    },
    write(writer, values) {
      // Written even when it is empty: that one is there counts.
      for (const value of values) field.scalar.write(writer.tag(field.number, field.wireType), value);
    },
  };
}

/** A map with strings as keys; `value` has the number 2, as the protocol has it. */
export function map<T>(number: number, value: Field<T>): Field<Map<string, T>> {
  const entry: Message<{ key: string; value: T }> = message({ key: string(1), value });
  return {
    number,
    wireType: WireType.LengthDelimited,
    absent: () => new Map(),
    read(reader, before) {
      checkRoom(before.size);
      const { key, value: one } = readMessage(reader, entry);
      return before.set(key, one);
    },
    write(writer, values) {
      for (const [key, one] of values) {
        writer.tag(number, WireType.LengthDelimited).fork();
        entry.writeTo(writer, { key, value: one });
        writer.join();
      }
    },
  };
}

/** The fields of a message as they came, each with its tag: to change one, and keep all others, known or not. */
export function* rawFields(data: Uint8Array): Generator<{ readonly number: number; readonly bytes: Uint8Array }> {
  const reader = new BinaryReader(data);
  while (reader.pos < reader.len) {
    const from = reader.pos;
    const [number, wireType] = reader.tag();
    reader.skip(wireType, number);
    yield { number, bytes: data.subarray(from, reader.pos) };
  }
}
