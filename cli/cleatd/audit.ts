import type { AuditConfig } from '@cleat/engine/config';
import { parseDuration } from '@cleat/protocol/go-duration';
import { UsageError } from './options/parse.js';
import { BadValue, parseBytes } from './options/values.js';

/** The bounds where the operator says nothing: 64 MiB, 30 days. */
const defaults = { 'max-size': '8m', 'max-file': '8', 'max-age': '720h' };

const leastBytes = 64 * 1024;

/**
 * The bounds of the audit journal, by `--audit` and `--audit-opt`.
 * @throws UsageError
 */
export function auditLimits(
  values: { readonly audit: boolean; readonly 'audit-opt': Readonly<Record<string, string>> },
  nameOf: (flag: 'audit-opt') => string,
): AuditConfig['audit'] {
  const given = values['audit-opt'];
  const wrong = (why: string) => new UsageError(`${nameOf('audit-opt')}: ${why}`);
  const strange = Object.keys(given).find((key) => !Object.hasOwn(defaults, key));
  if (strange !== undefined) throw wrong(`there is no option "${strange}": use ${Object.keys(defaults).join(', ')}`);
  const all = { ...defaults, ...given };
  const maxBytes = bytesOf(all['max-size'], wrong);
  if (maxBytes < leastBytes) throw wrong('max-size is at least 64k');
  const maxFiles = /^\d{1,4}$/.test(all['max-file']) ? Number(all['max-file']) : 0;
  if (maxFiles < 1) throw wrong(`max-file is a number from 1 to 9999, not "${all['max-file']}"`);
  const age = parseDuration(all['max-age']);
  if (age === undefined || age < 60_000_000_000n) {
    throw wrong(`max-age is a duration of at least a minute, such as 720h, not "${all['max-age']}"`);
  }
  return values.audit ? { maxBytes, maxFiles, maxAgeMs: Number(age / 1_000_000n) } : undefined;
}

function bytesOf(text: string, wrong: (why: string) => UsageError): number {
  try {
    return parseBytes(text);
  } catch (error) {
    if (error instanceof BadValue) throw wrong(`max-size: ${error.message}`);
    throw error;
  }
}
