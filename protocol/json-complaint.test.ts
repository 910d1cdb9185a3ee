import { describe, expect, test } from 'vitest';
import { decode, parseJson } from './json.js';
import Type from './schema.js';

/** The words of a stock engine for each of these. */
describe('a text that is no JSON is told in the words of Go', () => {
  test.each([
    ['{', 'unexpected EOF'],
    ['[', 'unexpected EOF'],
    ['tru', 'unexpected EOF'],
    ['{"a":"b', 'unexpected EOF'],
    ['{"Image":"é', 'unexpected EOF'],
    ['xyz', "invalid character 'x' looking for beginning of value"],
    ['\ufeff{}', "invalid character 'ï' looking for beginning of value"],
    ['{"a":1}{"b":2}', 'unexpected content after JSON'],
    ['{"a":1} x', 'unexpected content after JSON'],
    ['{"Image":tru}', "invalid character '}' in literal true (expecting 'e')"],
    ['{"a":nul}', "invalid character '}' in literal null (expecting 'l')"],
    ['{"a" 1}', "invalid character '1' after object key"],
    ['{"a":1,}', "invalid character '}' looking for beginning of object key string"],
    ['{,}', "invalid character ',' looking for beginning of object key string"],
    ['{a:1}', "invalid character 'a' looking for beginning of object key string"],
    ["{'a':1}", "invalid character '\\'' looking for beginning of object key string"],
    ['[1,]', "invalid character ']' looking for beginning of value"],
    ['[1 2]', "invalid character '2' after array element"],
    ['{"a":"\\q"}', "invalid character 'q' in string escape code"],
    ['{"a":"\\u12"}', `invalid character '"' in \\u hexadecimal character escape`],
    ['{"a":"\u0001"}', "invalid character '\\x01' in string literal"],
    ['{"a":"\n"}', "invalid character '\\n' in string literal"],
    ['{"a":01}', "invalid character '1' after object key:value pair"],
    ['{"a":-}', "invalid character '}' in numeric literal"],
    ['{"a":1.}', "invalid character '}' after decimal point in numeric literal"],
    ['{"a":1e}', "invalid character '}' in exponent of numeric literal"],
    ['\0\0', "invalid character '\\x00' looking for beginning of value"],
  ])('%j', (text, complaint) => {
    expect(() => parseJson(text)).toThrow(new SyntaxError(complaint));
  });
});

const Labels = Type.Record(Type.String(), Type.String());
const Request = Type.Object({
  Image: Type.Optional(Type.String()),
  Env: Type.Optional(Type.Array(Type.String())),
  Labels: Type.Optional(Labels),
  Tty: Type.Optional(Type.Boolean()),
  Memory: Type.Optional(Type.Integer()),
});

describe('a value of the wrong type is told in the words of Go', () => {
  test.each([
    [[], 'json: cannot unmarshal array into Go value of type Config'],
    ['x', 'json: cannot unmarshal string into Go value of type Config'],
    [1, 'json: cannot unmarshal number into Go value of type Config'],
    [{ Image: 1 }, 'json: cannot unmarshal number into Go struct field Config.Image of type string'],
    [{ Env: 'A=1' }, 'json: cannot unmarshal string into Go struct field Config.Env of type []string'],
    [{ Labels: [] }, 'json: cannot unmarshal array into Go struct field Config.Labels of type map[string]string'],
    [{ Labels: { a: 1 } }, 'json: cannot unmarshal number into Go struct field Config.Labels.a of type string'],
    [{ Tty: 'x' }, 'json: cannot unmarshal string into Go struct field Config.Tty of type bool'],
    [{ Memory: 1.5 }, 'json: cannot unmarshal number 1.5 into Go struct field Config.Memory of type int64'],
    [{ Memory: '1' }, 'json: cannot unmarshal string into Go struct field Config.Memory of type int64'],
  ])('%j', (value, complaint) => {
    expect(() => decode(Request, value, 'Config')).toThrow(complaint);
  });
});
