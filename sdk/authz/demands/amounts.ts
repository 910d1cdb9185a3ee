import type { ContainerUpdateRequest, HostConfig } from '@cleat/protocol/api/container';
import type { Amount, Demand } from '../demand.js';

const amount = (name: Amount, value: number | undefined): Demand => ({ what: 'amount', amount: name, value });

type Resources = Pick<
  HostConfig,
  'Memory' | 'MemorySwap' | 'NanoCpus' | 'CpuQuota' | 'CpuPeriod' | 'CpuCount' | 'PidsLimit'
>;

/** Microseconds: the kernel's default. */
const defaultPeriod = 100_000;

/** Amounts that a new container may take. Nothing said is no bound. */
export function amountsOfNew(host: Resources): Demand[] {
  const { Memory = 0, MemorySwap = 0, PidsLimit } = host;
  return [
    amount('memory', Memory > 0 ? Memory : undefined),
    // Nothing said: as much again as the memory.
    ...(MemorySwap === 0 ? [] : [amount('swap', MemorySwap > 0 ? MemorySwap : undefined)]),
    amount('cpus', cpus(host)),
    amount('pids', typeof PidsLimit === 'number' && PidsLimit > 0 ? PidsLimit : undefined),
  ];
}

/** Amounts that an update changes; 0 leaves a bound as it is, but for processes. */
export function amountsOfUpdate(update: ContainerUpdateRequest): Demand[] {
  const { Memory = 0, MemorySwap = 0, NanoCpus = 0, CpuQuota = 0, CpuPeriod = 0, PidsLimit } = update;
  const changesCpus = NanoCpus !== 0 || CpuQuota !== 0 || CpuPeriod !== 0;
  return [
    ...(Memory === 0 ? [] : [amount('memory', Memory > 0 ? Memory : undefined)]),
    ...(MemorySwap === 0 ? [] : [amount('swap', MemorySwap > 0 ? MemorySwap : undefined)]),
    ...(changesCpus ? [amount('cpus', cpus(update))] : []),
    ...(typeof PidsLimit === 'number' ? [amount('pids', PidsLimit > 0 ? PidsLimit : undefined)] : []),
  ];
}

/** A period without its quota may be any number of processors. */
function cpus({ NanoCpus = 0, CpuQuota = 0, CpuPeriod = 0 }: Resources): number | undefined {
  const byQuota = CpuQuota > 0 ? CpuQuota / (CpuPeriod > 0 ? CpuPeriod : defaultPeriod) : undefined;
  // A quota that is already set may have another period.
  const known = [NanoCpus > 0 ? NanoCpus / 1e9 : undefined, byQuota].filter((one) => one !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}
