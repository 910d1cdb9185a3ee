import { readSmallFile } from '@cleat/extensions/small-file';
import { invalidParameter, messageOf, notFound } from '@cleat/protocol/errors';
import { parseJson } from '@cleat/protocol/json';
import { readable } from '@cleat/protocol/untrusted';
import { parseEntry } from './entries.js';
import { formatVersion, longType, magic, signs, usualType } from './format.js';
import type { Body, RecordedEvent, Recording } from './recording.js';

/** A day of an engine's life is some megabytes. */
const maxBytes = 64 * 1024 * 1024;

/** @throws NotFound; InvalidParameter, which names the line */
export function readRecording(path: string): Recording {
  const text = readSmallFile(path, maxBytes);
  if (text === undefined) throw notFound(`there is no ${path}`);
  return parseRecording(text, path);
}

/**
 * Reads what `eventText` wrote, and what people made of it. A last event that was cut off, because the recorder was
 * killed or the disk was full, is left out.
 * @param name of the file, for errors
 * @throws InvalidParameter, which names the line
 */
export function parseRecording(text: string, name = 'recording'): Recording {
  const lines = text.split('\n').map((line) => line.replace(/\r$/, ''));
  const wrong = (at: number, what: string) => invalidParameter(`${name}:${at + 1}: ${what}`);
  const [first = ''] = lines;
  const version = first.startsWith(`${magic} `) ? first.slice(magic.length + 1).trim() : undefined;
  if (version === undefined) throw wrong(0, `this is no recording, which begins with '${magic} ${formatVersion}'`);
  if (version !== `${formatVersion}`) {
    throw wrong(0, `a recording of version '${readable(version, 20)}', where this program knows ${formatVersion}`);
  }
  const head = new Map<string, string>();
  const events: RecordedEvent[] = [];
  const calls = new Calls();
  for (let at = 1; at < lines.length; ) {
    const line = lines[at] ?? '';
    if (line.trim() === '' || line.startsWith('#')) {
      at++;
      continue;
    }
    const [, key = '', value = ''] = /^(plugin|made) (.*)$/.exec(line) ?? [];
    if (key !== '') {
      head.set(key, value);
      at++;
      continue;
    }
    let next = at + 1;
    while (/^( {2}|\t)/.test(lines[next] ?? '')) next++;
    try {
      const event = readEvent(line, lines.slice(at + 1, next).map(unindented));
      calls.take(event);
      events.push(event);
    } catch (error) {
      if (next === lines.length && events.length > 0) break;
      throw wrong(at, readable(messageOf(error), 300));
    }
    at = next;
  }
  return { plugin: head.get('plugin') ?? 'unknown', made: head.get('made') ?? '', events };
}

/** A call is asked once, and ends once. */
class Calls {
  readonly #open = new Map<number, 'asked' | 'streams' | 'over'>();

  take(event: RecordedEvent): void {
    const state = this.#open.get(event.call);
    if (event.what === 'request') {
      if (state) throw new Error(`call ${event.call} is asked twice: give each a number of its own`);
      this.#open.set(event.call, 'asked');
      return;
    }
    if (state === undefined) throw new Error(`call ${event.call} was not asked before this line`);
    if (state === 'over') throw new Error(`call ${event.call} is over before this line`);
    const streams = event.what === 'more' || (event.what === 'end' && event.how === 'whole');
    if (streams !== (state === 'streams') && !(event.what === 'end' && event.how !== 'whole')) {
      throw new Error(streams ? `no answer of call ${event.call} streams` : `call ${event.call} is answered twice`);
    }
    if (event.what === 'answer') this.#open.set(event.call, event.streams ? 'streams' : 'over');
    else if (event.what === 'end') this.#open.set(event.call, 'over');
  }
}

const unindented = (line: string): string => line.replace(/^( {2}|\t)/, '');

/** @throws Error that says what is wrong with it */
function readEvent(line: string, bodyLines: readonly string[]): RecordedEvent {
  const [sign, number = '', time = '', ...rest] = wordsOf(line);
  if (!/^\d{1,9}$/.test(number)) throw new Error(`expected a sign, the number of a call and a time, not '${line}'`);
  const call = Number(number);
  const { plain, named, form } = sorted(rest);
  const body = readBody(form, bodyLines);
  const [word = '', path = ''] = plain;
  switch (sign) {
    case signs.request:
      if (!/^[A-Z-]+$/.test(word) || !/^\/[\x21-\x7e]*$/.test(path))
        throw new Error(`expected a verb and a path in '${line}'`);
      return {
        ...{ what: 'request', call, atMs: milliseconds(time, ''), verb: word, path },
        ...{ accept: typeIn(named, 'accept', usualType), type: typeIn(named, 'type', undefined), body },
      };
    case signs.answer: {
      if (!/^[2-9]\d\d$/.test(word)) throw new Error(`expected an HTTP status in '${line}'`);
      const streams = path === 'stream';
      if (streams && body) throw new Error(`the pieces of a stream have lines of their own, which begin with '.'`);
      const type = typeIn(named, 'type', usualType);
      return { what: 'answer', call, afterMs: milliseconds(time, '+'), status: Number(word), type, body, streams };
    }
    case signs.more: {
      const afterMs = milliseconds(time, '+');
      if (word === 'end') return { what: 'end', call, afterMs, how: 'whole', why: undefined, body: undefined };
      return { what: 'more', call, afterMs, body };
    }
    case signs.end:
      if (word !== 'caller' && word !== 'plugin') throw new Error(`expected 'caller' or 'plugin' in '${line}'`);
      return { what: 'end', call, afterMs: milliseconds(time, '+'), how: word, why: named.get('why'), body };
    default:
      throw new Error(`a line begins with >, <, . or !, or is indented, not '${line}'`);
  }
}

function wordsOf(line: string): string[] {
  return line.match(/\w+="(?:[^"\\]|\\.)*"|\S+/g) ?? [];
}

const forms = ['text', 'base64', 'entries'] as const;

function sorted(words: readonly string[]) {
  const named = new Map<string, string>();
  const plain: string[] = [];
  let form: Body['form'] = 'json';
  for (const word of words) {
    const [, name, value = ''] = /^(accept|type|why)=(.*)$/.exec(word) ?? [];
    const asForm = forms.find((one) => one === word);
    if (name !== undefined) named.set(name, value.startsWith('"') ? String(parseJson(value)) : value);
    else if (asForm) form = asForm;
    else plain.push(word);
  }
  return { named, plain, form };
}

function typeIn(named: ReadonlyMap<string, string>, name: string, usual: string | undefined): string | undefined {
  const value = named.get(name);
  if (value === undefined) return usual;
  if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) throw new Error(`no header can say ${name}=${JSON.stringify(value)}`);
  return value === 'none' ? undefined : longType(value);
}

function milliseconds(time: string, sign: string): number {
  const [, found, value] = /^(\+?)(\d{1,9}(?:\.\d{1,9})?)s$/.exec(time) ?? [];
  if (found !== sign) throw new Error(`expected a time such as ${sign}0.250s, not '${time}'`);
  return Number(value) * 1000;
}

function readBody(form: Body['form'], lines: readonly string[]): Body | undefined {
  if (lines.length === 0) return undefined;
  const text = lines.join('\n');
  switch (form) {
    case 'text':
      return { form, text };
    case 'base64':
      if (!/^[A-Za-z0-9+/=\s]*$/.test(text)) throw new Error('its body is not base64');
      return { form, bytes: Buffer.from(text, 'base64') };
    case 'entries':
      return { form, entries: lines.filter((line) => line.trim() !== '').map(parseEntry) };
    case 'json':
      try {
        parseJson(text);
      } catch (error) {
        throw new Error(`its body is not JSON (${messageOf(error)}): fix it, or say 'text' at the end of the line`);
      }
      return { form, text: text.trim() };
  }
}
