import { expect, test } from 'vitest';
import { parseConfig } from './options/file.js';
import { parseFlags } from './options/parse.js';
import { settingsOf } from './settings.js';

const both = (file: object, ...flags: string[]) => {
  const parsed = parseFlags(flags);
  return settingsOf(new Map([...parsed, ...parseConfig(JSON.stringify(file), parsed).set])).proxies;
};

test('proxies by flag and by file become the environment of the daemon', () => {
  expect([...both({}, '--http-proxy=proxy:3128', '--no-proxy', 'a,b')]).toEqual([
    ['http_proxy', 'proxy:3128'],
    ['HTTP_PROXY', 'proxy:3128'],
    ['no_proxy', 'a,b'],
    ['NO_PROXY', 'a,b'],
  ]);
  const proxies = { 'https-proxy': 'http://u:p@x', 'http-proxy': '' };
  expect(both({ proxies }).get('HTTPS_PROXY')).toBe('http://u:p@x');
  expect(both({ proxies }).size).toBe(2);
  expect(both({}).size).toBe(0);
});

test.each([
  [{ proxies: { 'http-proxi': 'x' } }, 'unknown key http-proxi'],
  [{ proxies: { 'http-proxy': 1 } }, 'http-proxy must be a string'],
  [{ proxies: [] }, 'an object is expected'],
  [{ proxies: { 'https-proxy': 'socks5://x' } }, 'a URL with http:// or https:// is expected'],
])('%j is refused', (file, message) => {
  expect(() => both(file)).toThrow(message);
});

test('flag and file at once are refused', () => {
  expect(() => both({ proxies: { 'http-proxy': 'a' } }, '--http-proxy=b')).toThrow('must not both be set');
});
