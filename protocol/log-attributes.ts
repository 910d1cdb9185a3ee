import type { LogInfo } from './kinds/log.js';
import { renderTag } from './log-tag.js';

/**
 * The attributes that a user asked to be kept with each line: what the options `labels`, `labels-regex`, `env` and
 * `env-regex` select from the container's labels and environment (moby `daemon/logger/loginfo.go`).
 * @throws SyntaxError for an expression that is none
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
 * What is kept with each line: {@link logAttributes}, and `tag` when the user gave one.
 * @throws SyntaxError; InvalidParameter for a template that is none
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
  const expression = pattern ? new RegExp(pattern) : undefined;
  return Object.fromEntries([...all].filter(([name]) => wanted.has(name) || expression?.test(name)));
}

/** Attributes as `docker logs --details` puts them before each line: sorted, escaped as in a query. */
export function detailsText(attributes: Record<string, string>): string {
  const encode = (text: string) => encodeURIComponent(text).replaceAll('%20', '+');
  const pairs = Object.entries(attributes).map(([key, value]) => `${encode(key)}=${encode(value)}`);
  return `${pairs.sort().join(',')} `;
}
