import Type, { go, type TSchema } from '../schema.js';

/** Parts of the Engine API's objects. */
export const nullable = <T extends TSchema>(schema: T) => Type.Optional(Type.Union([schema, Type.Null()]));
export const StringMap = Type.Record(Type.String(), Type.String());
export const Strings = Type.Array(Type.String());
/** Go's strslice: a string stands for a list of one. */
export const StringOrList = Type.Union([Strings, Type.String()]);
/** A string that has a type of its own in Go. */
export const named = (type: string) => Type.Optional(Type.String(go(type)));
export const int = Type.Optional(Type.Integer(go('int')));
/** [height, width] */
export const ConsoleSize = Type.Array(Type.Integer(go('uint')), go('[2]uint'));
