import type { ContainerConfig } from '@cleat/protocol/api/container';
import { invalidParameter } from '@cleat/protocol/errors';
import { healthPeriod, healthRetries } from '@cleat/protocol/health-flags';
import { flagValues, jsonList } from './arguments.js';
import type { Line } from './lines.js';

type Healthcheck = NonNullable<ContainerConfig['Healthcheck']>;

const durations = ['interval', 'timeout', 'start-period', 'start-interval'];

/** `HEALTHCHECK [--interval=…] CMD …` or `NONE`. @throws InvalidParameter (buildkit `instructions/parse.go`) */
export function healthcheckOf({ rest, flags }: Line): Healthcheck {
  if (rest === '') throw invalidParameter('HEALTHCHECK requires at least one argument');
  const [, kind = '', test = ''] = /^(\S+)\s*(.*)$/su.exec(rest) ?? [];
  const list = jsonList(test);
  if (kind.toUpperCase() === 'NONE') {
    if (test !== '') throw invalidParameter('HEALTHCHECK NONE takes no arguments');
    return { Test: ['NONE'] };
  }
  const values = flagValues(flags, [...durations, 'retries']);
  if (kind.toUpperCase() !== 'CMD') {
    throw invalidParameter(`Unknown type ${JSON.stringify(kind.toUpperCase())} in HEALTHCHECK (try CMD)`);
  }
  if (test === '' || list?.length === 0) throw invalidParameter('Missing command after HEALTHCHECK CMD');
  return {
    Test: list ? ['CMD', ...list] : ['CMD-SHELL', test],
    Interval: healthPeriod('interval', values.get('interval')),
    Timeout: healthPeriod('timeout', values.get('timeout')),
    StartPeriod: healthPeriod('start-period', values.get('start-period')),
    StartInterval: healthPeriod('start-interval', values.get('start-interval')),
    Retries: healthRetries(values.get('retries')),
  };
}
