import type { BenchPlugin, PluginName } from '../plugin-pair.js';
import type { Row } from '../row.js';
import { milliseconds } from '../work.js';

const between = ['go', 'typescript'] as const;

/** A plugin in TypeScript beside the same in Go: the one client calls both, over kept connections, as engines do. */
export const pluginRows: readonly Row<BenchPlugin, PluginName>[] = [
  {
    name: '`VolumeDriver.Path`, one connection',
    unit: 'calls/s',
    between,
    atLeast: 0.5,
    samples: 5,
    sample: (plugin) => plugin.load('path', 1),
  },
  {
    name: '`VolumeDriver.Path`, 8 connections at once',
    unit: 'calls/s',
    between,
    atLeast: 0.5,
    samples: 5,
    sample: (plugin) => plugin.load('path', 8),
  },
  {
    name: 'Create, Get, Mount, Path, Get, Unmount, Remove, one connection',
    unit: 'calls/s',
    between,
    atLeast: 0.5,
    samples: 5,
    sample: (plugin) => plugin.load('life', 1),
  },
  {
    name: 'the same, 8 connections at once',
    unit: 'calls/s',
    between,
    atLeast: 0.5,
    samples: 5,
    sample: (plugin) => plugin.load('life', 8),
  },
  {
    name: 'resident memory after that',
    unit: 'MB',
    between,
    samples: 3,
    sample: async (plugin) => plugin.resident() / 1e6,
  },
  {
    name: '`cleat verify PLUGIN --start …`, every case',
    unit: 'ms',
    between,
    samples: 3,
    sample: (plugin) => milliseconds(() => plugin.verify()),
  },
];
