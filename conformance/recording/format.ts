import { pluginMediaType } from '@cleat/protocol/dispatch';
import { readable } from '@cleat/protocol/untrusted';
import { entryText } from './entries.js';
import type { Body, RecordedEvent } from './recording.js';

/**
 * A recording is a text. After the head, each event is a line that begins with its sign, the number of its call and a
 * time, and the lines of its body, indented by two spaces:
 *
 *     > 2 0.010s POST /VolumeDriver.Create        asked, since the beginning
 *       {"Name":"data","Opts":null}
 *     < 2 +0.003s 200                             answered, since it was asked
 *       {}
 *     < 3 +0.004s 200 stream                      an answer in pieces,
 *     . 3 +0.100s entries                         each of which is one,
 *     . 3 +0.200s end                             until it is whole
 *     ! 4 +0.500s caller                          the caller hung up, or the plugin
 *
 * A body is JSON, unless the line says `text`, `base64` or `entries`. Content types and Accept are said where they are
 * not the usual ones. The order of the lines is the order of what happened: it is what a replay keeps.
 */
export const formatVersion = 1;

/** The beginning of a file, before its version. */
export const magic = 'cleat-recording';

/** The media type of requests and answers, unless the file says otherwise. */
export const usualType = pluginMediaType;

export const signs = { request: '>', answer: '<', more: '.', end: '!' } as const;

export function headText(plugin: string, made: string): string {
  return `${magic} ${formatVersion}
plugin ${plugin.replaceAll(/\s+/g, ' ')}
made ${made}
# What an engine asked (>) and what the plugin answered (<). To be read and changed: see "cleat replay --help".
`;
}

/** Its lines, with a line feed at the end. */
export function eventText(event: RecordedEvent): string {
  const words = [event.what === 'end' && event.how === 'whole' ? signs.more : signs[event.what], `${event.call}`];
  switch (event.what) {
    case 'request':
      words.push(seconds(event.atMs), event.verb, event.path);
      words.push(...header('accept', event.accept, usualType), ...header('type', event.type, undefined));
      break;
    case 'answer':
      words.push(`+${seconds(event.afterMs)}`, `${event.status}`, ...header('type', event.type, usualType));
      if (event.streams) words.push('stream');
      break;
    case 'more':
      words.push(`+${seconds(event.afterMs)}`);
      break;
    case 'end':
      words.push(`+${seconds(event.afterMs)}`, event.how === 'whole' ? 'end' : event.how);
      words.push(...header('why', event.why, undefined));
      break;
  }
  if (event.body && event.body.form !== 'json') words.push(event.body.form);
  const apart = event.what === 'request' ? '\n' : '';
  return `${apart}${words.join(' ')}\n${bodyLines(event.body)
    .map((line) => `  ${line}\n`)
    .join('')}`;
}

function bodyLines(body: Body | undefined): string[] {
  if (body === undefined) return [];
  switch (body.form) {
    case 'base64':
      return [Buffer.from(body.bytes).toString('base64')];
    case 'entries':
      return body.entries.map(entryText);
    default:
      return body.text.split('\n');
  }
}

function header(name: string, value: string | undefined, usual: string | undefined): string[] {
  if (value === usual) return [];
  if (value === undefined) return [`${name}=none`];
  const short = shortType.exec(value)?.[1] ?? value;
  return [`${name}=${/^[\w./+*-]+$/.test(short) && short !== 'none' ? short : quoted(short)}`];
}

/** JSON, which no terminal obeys. */
const quoted = (text: string): string => readable(JSON.stringify(text), text.length * 6 + 2);

/** Docker's media types have long names. */
const shortType = /^application\/vnd\.docker\.(plugins\.v[\d.]+)\+json$/;

/** The reverse of how {@link eventText} shortens a media type. */
export function longType(text: string): string {
  return /^plugins\.v[\d.]+$/.test(text) ? `application/vnd.docker.${text}+json` : text;
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(3)}s`;
