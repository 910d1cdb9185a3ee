import type { ContainerConfig } from '@cleat/protocol/api/container';
import { invalidParameter } from '@cleat/protocol/errors';
import { parseDuration } from '@cleat/protocol/go-duration';
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
    Interval: duration(values, 'interval'),
    Timeout: duration(values, 'timeout'),
    StartPeriod: duration(values, 'start-period'),
    StartInterval: duration(values, 'start-interval'),
    Retries: retries(values.get('retries')),
  };
}

function duration(values: ReadonlyMap<string, string>, name: string): number | undefined {
  const text = values.get(name) ?? '';
  if (text === '') return undefined;
  const nanos = parseDuration(text);
  if (nanos === undefined) {
    const what = /^[+-]?(\d+\.?\d*|\.\d+)$/.test(text) ? 'missing unit in duration' : 'invalid duration';
    throw invalidParameter(`time: ${what} ${JSON.stringify(text)}`);
  }
  if (nanos !== 0n && nanos < 1_000_000n) throw invalidParameter(`Interval "${name}" cannot be less than 1ms`);
  return nanos === 0n ? undefined : Number(nanos);
}

function retries(text = ''): number | undefined {
  if (text === '') return undefined;
  const shown = JSON.stringify(text);
  if (!/^[+-]?\d+$/.test(text)) throw invalidParameter(`strconv.ParseInt: parsing ${shown}: invalid syntax`);
  const number = Number(text);
  if (number > 2 ** 31 - 1) throw invalidParameter(`strconv.ParseInt: parsing ${shown}: value out of range`);
  if (number < 0) throw invalidParameter(`--retries cannot be negative (${number})`);
  return number === 0 ? undefined : number;
}
