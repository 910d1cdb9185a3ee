import type { DriverDeliveries } from '@cleat/engine/spool/service';
import { columns } from '../columns.js';

/** A line for each driver, and one for each container whose driver is behind, or never got something. */
export function table(all: readonly DriverDeliveries[], width?: number): string {
  const lines = all.flatMap(({ driver, dropped, containers }) => {
    const behind = containers.reduce((sum, one) => sum + one.behind, 0);
    const told = containers.filter((one) => one.behind > 0 || one.dropped.bytes > 0 || one.reason);
    return [
      [driver, String(containers.length), size(behind), ...lost(dropped), '-'],
      ...told.map((one) => [`  ${one.id.slice(0, 12)}`, '', size(one.behind), ...lost(one.dropped), one.reason || '-']),
    ];
  });
  return columns([['DRIVER', 'CONTAINERS', 'BEHIND', 'DROPPED', 'LINES', 'WHY'], ...lines], { width });
}

const lost = ({ lines, bytes }: { lines: number; bytes: number }): string[] => [size(bytes), String(lines)];

/** Decimal, as Docker shows sizes. */
function size(bytes: number): string {
  let value = bytes;
  for (const unit of ['B', 'kB', 'MB']) {
    if (value < 1000) return `${Number(value.toPrecision(3))}${unit}`;
    value /= 1000;
  }
  return `${Number(value.toPrecision(3))}GB`;
}
