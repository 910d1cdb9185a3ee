import { readable } from '@cleat/protocol/untrusted';

/**
 * The grammar of each label. Everybody who may start a container writes them, so they are hostile input: a value goes into a
 * configuration only as what one of these made of it, and none lets through a character that nginx or HAProxy reads as
 * anything but a part of a word.
 */
export interface Grammar<T> {
  /** Completes "it takes …". */
  readonly takes: string;
  /** undefined: the text is none. */
  read(text: string): T | undefined;
}

const hostLabel = '[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?';
const host = new RegExp(`^(?:\\*\\.)?${hostLabel}(?:\\.${hostLabel})*$`);
const pathSegment = '[A-Za-z0-9_-][A-Za-z0-9._-]*';
const path = new RegExp(`^(?:/${pathSegment})+$`);

export const hostName: Grammar<string> = {
  takes: 'a host name, such as shop.example.com or *.example.com',
  read(text) {
    const name = text.toLowerCase();
    return name.length <= 253 && host.test(name) ? name : undefined;
  },
};

/** A path without a slash at its end; the root is the empty text. */
export const urlPath: Grammar<string> = {
  takes: 'a path, such as /shop',
  read(text) {
    const given = text.replace(/\/$/, '');
    return given === '' ? (text === '/' ? '' : undefined) : given.length <= 255 && path.test(given) ? given : undefined;
  },
};

/** Interlock's documentation has `ws://example.com:9000/chat`; it made a path of it. */
export const websocketPath: Grammar<string> = {
  takes: 'a path, such as /chat, or ws://HOST/chat',
  read: (text) => urlPath.read(text.replace(/^wss?:\/\/[A-Za-z0-9.:_-]+/, '') || '/'),
};

export const port: Grammar<number> = { takes: 'a port, 1 to 65535', read: (text) => integer(text, 1, 65_535) };

/** 0 and nothing are the default, as with Interlock. */
export const interval: Grammar<number> = {
  takes: 'milliseconds, 100 to 3600000',
  read: (text) => (/^0*$/.test(text) ? 5_000 : integer(text, 100, 3_600_000)),
};

/** Interlock looked only whether the label was there; here `false` is false. */
export const truth: Grammar<boolean> = {
  takes: 'true or false',
  read(text) {
    if (['', 'true', '1', 'yes', 'on'].includes(text.toLowerCase())) return true;
    return ['false', '0', 'no', 'off'].includes(text.toLowerCase()) ? false : undefined;
  },
};

export const verification: Grammar<boolean> = {
  takes: 'required or none',
  read(text) {
    if (text === 'required') return true;
    return text === 'none' ? false : truth.read(text);
  },
};

/** A name of a file in the directory of certificates; never a path. */
export const fileName: Grammar<string> = {
  takes: 'the name of a file in the directory of certificates',
  read: (text) => (/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/.test(text) ? text : undefined),
};

/** As Docker names networks. */
export const networkName: Grammar<string> = {
  takes: 'the name of a network',
  read: (text) => (/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/.test(text) ? text : undefined),
};

/** How requests are spread. */
export const algorithms = ['roundrobin', 'static-rr', 'leastconn', 'first', 'source', 'uri', 'random'] as const;
export type Algorithm = (typeof algorithms)[number];

export const algorithm: Grammar<Algorithm> = {
  takes: algorithms.join(', '),
  read: (text) => algorithms.find((known) => known === text),
};

/** HAProxy's options of a backend that people used with Interlock and that harm nobody else. */
export const options = ['abortonclose', 'forceclose', 'httpclose', 'http-server-close', 'prefer-last-server'] as const;
export type BackendOption = (typeof options)[number];

export const backendOption: Grammar<BackendOption> = {
  takes: options.join(', '),
  read: (text) => options.find((known) => known === text),
};

/** The path to ask for; `undefined` in it: a connection is enough. */
export const healthCheck: Grammar<{ readonly path: string | undefined }> = {
  takes: 'a path, such as /ping, or HAProxy’s httpchk, httpchk GET /ping',
  read(text) {
    if (text === 'tcp-check') return { path: undefined };
    if (text === 'httpchk') return { path: '/' };
    const asked = urlPath.read(text.replace(/^httpchk (?:GET )?/, ''));
    return asked === undefined ? undefined : { path: asked || '/' };
  },
};

function integer(text: string, least: number, most: number): number | undefined {
  const value = /^\d{1,7}$/.test(text) ? Number(text) : Number.NaN;
  return value >= least && value <= most ? value : undefined;
}

/** A sentence about a label that says what it may not. */
export function complaint(label: string, text: string, grammar: Grammar<unknown>): string {
  return `label ${readable(label, 80)} is '${readable(text, 80).replaceAll('\n', '\\n')}': it takes ${grammar.takes}`;
}
