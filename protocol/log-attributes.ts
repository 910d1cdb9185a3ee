import { createRequire } from 'node:module';
import { invalidParameter, messageOf } from './errors.js';
import type { LogInfo } from './kinds/log.js';
import { renderTag } from './log-tag.js';

/**
 * The attributes that a user asked to be kept with each line: what the options `labels`, `labels-regex`, `env` and
 * `env-regex` select from the container's labels and environment (moby `daemon/logger/loginfo.go`).
 * @throws InvalidParameter for an expression that is none
 */
export function logAttributes(info: LogInfo): Record<string, string> {
  const config = info.Config ?? {};
  const environment = new Map<string, string>();
  for (const pair of info.ContainerEnv ?? []) {
    const equals = pair.indexOf('=');
    if (equals >= 0) environment.set(pair.slice(0, equals), pair.slice(equals + 1));
  }
  return {
    ...select(new Map(Object.entries(info.ContainerLabels ?? {})), config.labels, config['labels-regex']),
    ...select(environment, config.env, config['env-regex']),
  };
}

/**
 * The attributes of each line: {@link logAttributes}, and `tag` when the user gave one.
 * @throws InvalidParameter for an expression or a template that is none
 */
export function taggedAttributes(info: LogInfo, hostname: string): Record<string, string> {
  const attributes = logAttributes(info);
  const tag = info.Config?.tag ? renderTag(info.Config.tag, info, hostname) : '';
  return tag ? { ...attributes, tag } : attributes;
}

function select(
  all: Map<string, string>,
  names: string | undefined,
  pattern: string | undefined,
): Record<string, string> {
  const wanted = new Set(names ? names.split(',') : []);
  const matches = pattern ? compiled(pattern) : () => false;
  return Object.fromEntries([...all].filter(([name]) => wanted.has(name) || matches(name)));
}

const require = createRequire(import.meta.url);

/**
 * An expression in Go's syntax, not JavaScript's: re2js answers in Go's words, and in time that grows with the text
 * alone; both the expression and the text are the client's. Loaded for who uses it: it is large.
 */
function compiled(pattern: string): (text: string) => boolean {
  const { RE2JS } = require('re2js') as typeof import('re2js');
  try {
    const expression = RE2JS.compile(pattern);
    return (text) => expression.matcher(text).find();
  } catch (cause) {
    throw invalidParameter(messageOf(cause), { cause });
  }
}

/** Attributes as `docker logs --details` puts them before each line: sorted, escaped as in a query. */
export function detailsText(attributes: Record<string, string>): string {
  const encode = (text: string) => encodeURIComponent(text).replaceAll('%20', '+');
  const pairs = Object.entries(attributes).map(([key, value]) => `${encode(key)}=${encode(value)}`);
  return `${pairs.sort().join(',')} `;
}
