import { messageOf } from '@cleat/protocol/errors';
import { healthPeriod, healthRetries } from '@cleat/protocol/health-flags';
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
  const nanos = faulty(() => healthPeriod(name, text));
  return nanos === undefined ? {} : { [member]: nanos };
}

function retries(text: string | undefined): { Retries?: number } {
  const Retries = faulty(() => healthRetries(text));
  return Retries === undefined ? {} : { Retries };
}

/** Calls a mistake the Dockerfile's fault. */
function faulty<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw fault(messageOf(error));
  }
}
