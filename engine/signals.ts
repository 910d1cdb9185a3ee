import { constants } from 'node:os';
import { invalidParameter } from '@cleat/protocol/errors';

const realtimeMin = 34;
const realtimeMax = 64;

const numbers = new Map<string, number>(
  Object.entries(constants.signals).map(([name, number]) => [name.slice('SIG'.length), number]),
);
numbers.set('CLD', constants.signals.SIGCHLD);
numbers.set('POLL', constants.signals.SIGIO);
for (let n = realtimeMin; n <= realtimeMax; n++) {
  const half = (realtimeMin + realtimeMax) / 2;
  numbers.set(
    n <= half
      ? `RTMIN${n > realtimeMin ? `+${n - realtimeMin}` : ''}`
      : `RTMAX${n < realtimeMax ? `-${realtimeMax - n}` : ''}`,
    n,
  );
}

/** `SIGKILL`, `kill`, `9` → 9. @throws InvalidParameter `invalid signal: X` */
export function parseSignal(text: string): number {
  const number = /^\d+$/.test(text) ? Number(text) : numbers.get(text.toUpperCase().replace(/^SIG/, ''));
  if (number === undefined || number <= 0) throw invalidParameter(`invalid signal: ${text}`);
  if (number > realtimeMax) throw invalidParameter(`the linux daemon does not support signal ${number}`);
  return number;
}
