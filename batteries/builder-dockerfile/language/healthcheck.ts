import { parseDuration } from '@cleat/protocol/go-duration';
import { fault } from './fault.js';
import { readFlags } from './flags.js';
import type { Healthcheck } from './instruction.js';
import { type Command, jsonList } from './words.js';

/** `HEALTHCHECK [--interval=…] CMD …`, or `NONE`. @throws DockerfileFault */
export function healthcheckOf({ rest, flags }: Command): Healthcheck {
  const [, word = '', command = ''] = /^(\S+)\s*([\s\S]*)$/.exec(rest) ?? [];
  const kind = word.toUpperCase();
  if (kind === '') throw fault('HEALTHCHECK requires at least one argument');
  if (kind === 'NONE') {
    if (command !== '') throw fault('HEALTHCHECK NONE takes no arguments');
    readFlags(flags, {});
    return { Test: ['NONE'] };
  }
  const given = readFlags(flags, {
    interval: 'value',
    timeout: 'value',
    'start-period': 'value',
    'start-interval': 'value',
    retries: 'value',
  });
  if (kind !== 'CMD') throw fault(`Unknown type ${JSON.stringify(kind)} in HEALTHCHECK (try CMD)`);
  const list = jsonList(command);
  if (command === '' || list?.length === 0) throw fault('Missing command after HEALTHCHECK CMD');
  return {
    Test: list ? ['CMD', ...list] : ['CMD-SHELL', command],
    ...period('Interval', 'interval', given.interval),
    ...period('Timeout', 'timeout', given.timeout),
    ...period('StartPeriod', 'start-period', given['start-period']),
    ...period('StartInterval', 'start-interval', given['start-interval']),
    ...retries(given.retries),
  };
}

function period(member: string, name: string, text: string | undefined): Record<string, number> {
  if (text === undefined || text === '') return {};
  const nanos = nanosOf(text);
  if (nanos !== 0 && nanos < 1e6) throw fault(`Interval ${JSON.stringify(name)} cannot be less than 1ms`);
  return nanos === 0 ? {} : { [member]: nanos };
}

/** A duration as Go writes it. */
function nanosOf(text: string): number {
  const nanos = parseDuration(text);
  if (nanos !== undefined) return Number(nanos);
  const what = /^[+-]?(\d+\.?\d*|\.\d+)$/.test(text) ? 'missing unit in duration' : 'invalid duration';
  throw fault(`time: ${what} ${JSON.stringify(text)}`);
}

function retries(text: string | undefined): { Retries?: number } {
  if (text === undefined || text === '') return {};
  const shown = JSON.stringify(text);
  if (!/^[+-]?\d+$/.test(text)) throw fault(`strconv.ParseInt: parsing ${shown}: invalid syntax`);
  const number = Number(text);
  if (number > 2 ** 31 - 1) throw fault(`strconv.ParseInt: parsing ${shown}: value out of range`);
  if (number < 0) throw fault(`--retries cannot be negative (${number})`);
  return number === 0 ? {} : { Retries: number };
}
