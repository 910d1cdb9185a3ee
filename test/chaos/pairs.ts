import { generate, type Possibilities } from './generate.js';
import type { Fault, Schedule } from './schedule.js';

/** For each schedule whose pairs are wanted, so many are looked at. */
const choice = 6;

/**
 * Few schedules in which everything happens that happens in the first `count` of a seed: each fault, each operation
 * while somebody suffers, and each operation while there is a fault of a nature.
 * @returns their indexes, the richest one first
 */
export function indexesOfPairs(seed: number, count: number, possibilities: Possibilities): number[] {
  const candidates = Array.from({ length: count * choice }, (_, index) =>
    pairsOf(generate(seed, index, possibilities)),
  );
  const missing = new Set(candidates.slice(0, count).flat());
  const chosen: number[] = [];
  while (missing.size > 0) {
    const gains = candidates.map((pairs) => pairs.filter((pair) => missing.has(pair)).length);
    const best = gains.indexOf(Math.max(...gains));
    chosen.push(best);
    for (const pair of candidates[best] ?? []) missing.delete(pair);
  }
  return chosen;
}

/** Each once. */
export function pairsOf({ clients, faults }: Schedule): string[] {
  const operations = clients.flat().map(({ operation }) => operation.op);
  const pairs = faults.flatMap((fault) => {
    const [victims, nature] = [fault.victims.join(' and '), natureOf(fault)];
    const during = operations.flatMap((op) => [`${victims}, ${op}`, `${nature}, ${op}`]);
    return [`${victims}, ${nature} ${methodOf(fault)}`, ...during];
  });
  return [...new Set(pairs)];
}

function natureOf({ what }: Fault): string {
  if (what.type !== 'misbehave') return what.type;
  return what.performs ? `${what.manner}, having done it` : what.manner;
}

const methodOf = ({ what }: Fault): string => (what.type === 'misbehave' ? what.method : '');
