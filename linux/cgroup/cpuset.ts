import { readFileSync } from 'node:fs';

/** The processors that are online, in the kernel's list format: `0-3,6`. Undefined where the kernel does not say. */
export function onlineCpus(): string | undefined {
  return read('/sys/devices/system/cpu/online');
}

/** NUMA nodes, in the same format. */
export function onlineMemoryNodes(): string | undefined {
  return read('/sys/devices/system/node/online');
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim() || undefined;
  } catch {
    // A kernel without NUMA has no nodes to choose from.
    return undefined;
  }
}

/** Whether every number of `requested` is in `available`; undefined when `requested` is no such list. */
export function isWithin(requested: string, available: string): boolean | undefined {
  const wanted = ranges(requested);
  const offered = ranges(available);
  if (!wanted || !offered) return undefined;
  return wanted.every(([first, last]) => {
    for (let number = first; number <= last; number++) {
      if (!offered.some(([low, high]) => number >= low && number <= high)) return false;
    }
    return true;
  });
}

function ranges(list: string): [number, number][] | undefined {
  if (!/^\d{1,6}(-\d{1,6})?(,\d{1,6}(-\d{1,6})?)*$/.test(list)) return undefined;
  return list.split(',').map((part) => {
    const [first = 0, last = first] = part.split('-').map(Number);
    return [first, last];
  });
}
