import { invalidParameter, messageOf } from '@cleat/protocol/errors';
import type { Filters } from './events/service.js';
import { parseMoment } from './time.js';

/** How the API's `filters` select, once for all resources (moby `daemon/internal/filters`). */
export type { Filters };

/**
 * Refuses a filter that the resource does not know: a filter that is ignored lists, or prunes, what it must not.
 * @throws InvalidParameter `invalid filter 'x'`
 */
export function checkFilters(filters: Filters, accepted: Iterable<string>): void {
  const known = new Set(accepted);
  for (const name of Object.keys(filters)) {
    if (!known.has(name)) throw invalidParameter(`invalid filter '${name}'`);
  }
}

/** The values of a filter, or undefined when it does not restrict anything. */
export function filterValues(filters: Filters, name: string): readonly string[] | undefined {
  const values = filters[name];
  return values && values.length > 0 ? values : undefined;
}

/** True if one of the values is `subject`, or there is no such filter. */
export function matchExact(filters: Filters, name: string, subject: string): boolean {
  return filterValues(filters, name)?.includes(subject) ?? true;
}

/** True if one of the values is `subject` or its beginning, or there is no such filter. */
export function matchPrefix(filters: Filters, name: string, subject: string): boolean {
  return filterValues(filters, name)?.some((value) => subject.startsWith(value)) ?? true;
}

/** True if one of the values is `subject` or, as a regular expression, matches in it, or there is no such filter. */
export function matchName(filters: Filters, name: string, subject: string): boolean {
  return filterValues(filters, name)?.some((value) => value === subject || matchesPattern(value, subject)) ?? true;
}

function matchesPattern(pattern: string, subject: string): boolean {
  try {
    return new RegExp(pattern).test(subject);
  } catch {
    // Docker, too, takes what is no regular expression for one that matches nothing.
    return false;
  }
}

/** True if every value (`key` or `key=value`) holds for `labels`, or there is no such filter. */
export function matchLabels(
  filters: Filters,
  labels: Readonly<Record<string, string>> | null | undefined,
  name = 'label',
): boolean {
  return filterValues(filters, name)?.every((value) => hasLabel(labels, value)) ?? true;
}

/** For prune's `label!`: true unless every value of the filter holds for `labels`. */
export function excludesLabels(filters: Filters, labels: Readonly<Record<string, string>> | null | undefined): boolean {
  return !(filterValues(filters, 'label!')?.every((value) => hasLabel(labels, value)) ?? false);
}

function hasLabel(labels: Readonly<Record<string, string>> | null | undefined, wanted: string): boolean {
  const equals = wanted.indexOf('=');
  const key = equals < 0 ? wanted : wanted.slice(0, equals);
  if (!labels || !Object.hasOwn(labels, key)) return false;
  return equals < 0 || labels[key] === wanted.slice(equals + 1);
}

/**
 * A filter that is a truth value (`dangling`).
 * @throws InvalidParameter for something else, or for both at once
 */
export function booleanFilter(filters: Filters, name: string): boolean | undefined;
export function booleanFilter(filters: Filters, name: string, otherwise: boolean): boolean;
export function booleanFilter(filters: Filters, name: string, otherwise?: boolean): boolean | undefined {
  const values = filters[name];
  if (values === undefined) return otherwise;
  const isTrue = values.includes('1') || values.includes('true');
  const isFalse = values.includes('0') || values.includes('false');
  if (isTrue === isFalse) {
    throw invalidParameter(
      values.length > 0 ? `invalid filter '${name}=[${values.join(' ')}]'` : `invalid filter '${name}'`,
    );
  }
  return isTrue;
}

/** How images and build cache begin their error for an `until` that cannot be read; others say no more than why. */
export const untilOfImages = "invalid value for 'until' filter: ";

/**
 * Prune's `until`: nanoseconds since the epoch, or undefined without one.
 * @param before the beginning of the error for an unreadable one
 * @throws InvalidParameter for several or an unreadable one
 */
export function untilFilter(filters: Filters, before = ''): bigint | undefined {
  const values = filterValues(filters, 'until');
  if (!values) return undefined;
  const [value = ''] = values;
  if (values.length > 1) throw invalidParameter('more than one until filter specified');
  try {
    return parseMoment(value);
  } catch (cause) {
    throw invalidParameter(`${before}${messageOf(cause)}`, { cause });
  }
}
