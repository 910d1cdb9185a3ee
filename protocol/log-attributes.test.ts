import { describe, expect, it } from 'vitest';
import type { LogInfo } from './kinds/log.js';
import { logAttributes } from './log-attributes.js';
import { renderTag } from './log-tag.js';

const info = (Config: Record<string, string>): LogInfo => ({
  Config,
  ContainerID: '0123456789abcdef',
  ContainerName: '/web',
  ContainerLabels: { 'com.a': '1', 'com.b': '2', [`${'a'.repeat(5_000)}b`]: '3' },
  ContainerEnv: ['PATH=/bin'],
});

describe('expressions', () => {
  it('are Go’s', () => {
    expect(logAttributes(info({ 'labels-regex': '(?i)COM\\.[a]', 'env-regex': '^P' }))).toEqual({
      'com.a': '1',
      PATH: '/bin',
    });
  });

  it('take no time that is the client’s to choose', () => {
    expect(Object.keys(logAttributes(info({ 'labels-regex': '^(a+)+$' })))).toEqual([]);
  });

  // The words of a stock engine when the container starts.
  it.each([
    ['(', 'missing closing ): `(`'],
    ['a(?P<x', 'invalid named capture: `(?P<x`'],
    ['[a', 'missing closing ]: `[a`'],
    ['*', 'missing argument to repetition operator: `*`'],
    ['a{2,1}', 'invalid repeat count: `{2,1}`'],
    ['\\8', 'invalid escape sequence: `\\8`'],
    ['(?=a)', 'invalid or unsupported Perl syntax: `(?=`'],
  ])('%s is refused in Go’s words', (pattern, words) => {
    const refused = expect.objectContaining({ class: 'InvalidParameter', message: `error parsing regexp: ${words}` });
    expect(() => logAttributes(info({ 'labels-regex': pattern }))).toThrow(refused);
    expect(() => logAttributes(info({ 'env-regex': pattern }))).toThrow(refused);
  });
});

describe('tags', () => {
  it('have fields', () => {
    expect(renderTag('{{.ID}}/{{ .Name }}}} {', info({}), 'h')).toBe('0123456789ab/web}} {');
  });

  it.each([
    ['{{', 'template: log-tag:1: unclosed action'],
    ['{{.ID ', 'template: log-tag:1: unclosed action'],
    ['{{.ID}', "template: log-tag:1: bad character U+007D '}'"],
    ['{{ .ID }', 'template: log-tag:1: unexpected "}" in operand'],
    ['{{ }', 'template: log-tag:1: unexpected "}" in command'],
    [
      'é{{ .Foo }}',
      `template: log-tag:1:5: executing "log-tag" at <.Foo>: can't evaluate field Foo in type *logger.Info`,
    ],
    ['{{json .ID}}', 'log tag: {{json .ID}} is not one of {{.ID}}, '],
  ])('%s is refused', (template, words) => {
    expect(() => renderTag(template, info({}), 'h')).toThrow(words);
  });
});
