import { readFileSync } from 'node:fs';
import { invalidParameter, messageOf } from '@cleat/protocol/errors';

/** A request that somebody wrote down. */
export interface Recorded {
  readonly Method: string;
  readonly URL: string;
  readonly Headers?: Readonly<Record<string, string>>;
  readonly Body?: unknown;
  readonly Caller?: unknown;
}

const members = ['Method', 'URL', 'Headers', 'Body', 'Caller'];

/** @param text JSON, or a curl command @throws InvalidParameter */
export function recordedRequest(text: string): Recorded {
  const plain = text.trim();
  return plain.startsWith('{') ? ofJson(plain) : ofCurl(words(plain));
}

function ofJson(text: string): Recorded {
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(text) as Record<string, unknown>;
  } catch (error) {
    throw invalidParameter(`the request is not JSON: ${messageOf(error)}`);
  }
  const strange = Object.keys(value).find((key) => !members.includes(key));
  if (strange !== undefined) throw invalidParameter(`a request has no "${strange}": ${members.join(', ')} are known`);
  if (typeof value.Method !== 'string' || typeof value.URL !== 'string') {
    throw invalidParameter('a request needs Method and URL: {"Method": "POST", "URL": "/containers/create"}');
  }
  return value as unknown as Recorded;
}

/** Options of curl that take a value and say nothing about the request. */
const skipped = new Set([
  '--unix-socket',
  '--abstract-unix-socket',
  '-o',
  '--output',
  '-m',
  '--max-time',
  '-u',
  '--user',
  '-A',
  '--user-agent',
  '--cacert',
  '--cert',
  '-E',
  '--key',
  '-w',
  '--write-out',
  '--connect-timeout',
]);
const data = new Set(['-d', '--data', '--data-raw', '--data-binary', '--data-ascii', '--json']);

function ofCurl([program, ...rest]: string[]): Recorded {
  if (program !== 'curl') throw invalidParameter('the request is neither JSON nor a curl command');
  let method: string | undefined;
  let url: string | undefined;
  let body: string | undefined;
  const headers: Record<string, string> = {};
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const [, long, inline] = /^(--[\w-]+)=(.*)$/s.exec(word) ?? [];
    const [, short, attached] = /^(-[XHdo])(.+)$/s.exec(word) ?? [];
    const option = long ?? short ?? word;
    const value = (): string => inline ?? attached ?? rest.shift() ?? '';
    if (option === '-X' || option === '--request') method = value();
    else if (option === '-I' || option === '--head') method = 'HEAD';
    else if (option === '-G' || option === '--get') method = 'GET';
    else if (option === '-H' || option === '--header') header(headers, value());
    else if (option === '--url') url = value();
    else if (data.has(option)) body = `${body === undefined ? '' : `${body}&`}${dataOf(value(), option)}`;
    else if (skipped.has(option)) value();
    else if (!option.startsWith('-')) url = option;
  }
  if (url === undefined) throw invalidParameter('the curl command has no URL');
  return {
    Method: method ?? (body === undefined ? 'GET' : 'POST'),
    URL: url.replace(/^([a-z]+:\/\/)?[^/?]*/i, '') || '/',
    Headers: headers,
    ...(body !== undefined && { Body: parsed(body) }),
  };
}

function header(headers: Record<string, string>, line: string): void {
  const at = line.indexOf(':');
  if (at > 0) headers[line.slice(0, at).trim()] = line.slice(at + 1).trim();
}

function dataOf(value: string, option: string): string {
  if (!value.startsWith('@') || option === '--data-raw') return value;
  try {
    return readFileSync(value.slice(1), 'utf8');
  } catch (error) {
    throw invalidParameter(`cannot read the data of the request: ${messageOf(error)}`);
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw invalidParameter(`the body of the request is not JSON: ${messageOf(error)}`);
  }
}

/** Words as a shell reads them: quotes, backslashes, lines that go on. @throws InvalidParameter */
function words(text: string): string[] {
  const found: string[] = [];
  const token = /\s+|\\\r?\n|'([^']*)'|"((?:[^"\\]|\\[\s\S])*)"|\\([\s\S])|([^\s'"\\]+)/y;
  let word: string | undefined;
  while (token.lastIndex < text.length) {
    const at = token.lastIndex;
    const [all, single, double, escaped, bare] = token.exec(text) ?? [];
    if (all === undefined) throw invalidParameter(`a quote is not closed: ${text.slice(at, at + 40)}`);
    const piece = single ?? double?.replace(/\\(["\\$`])/g, '$1').replace(/\\\r?\n/g, '') ?? escaped ?? bare;
    if (piece !== undefined) word = (word ?? '') + piece;
    else if (/^\s/.test(all) && word !== undefined) {
      found.push(word);
      word = undefined;
    }
  }
  if (word !== undefined) found.push(word);
  return found;
}
